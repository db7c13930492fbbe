window.app = 'a stand-in';
