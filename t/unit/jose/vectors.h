/* Keys and tokens, made with the jose command of Debian and with openssl. */
#ifndef VECTORS_H
#define VECTORS_H

static const char key_oct[] =
    "{\"kty\":\"oct\",\"k\":\"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiM"
    "kJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4_QA\"}";
static const char key_rsa[] =
    "{\"kty\":\"RSA\",\"n\":\"s6jDLZIZ1dVUaoISR4fZxOziYVzMli2ZWMFBJ5Hkx9_YgG0"
    "9vrVPlGBJGrb4pGSmRDlIG_BYwl6Z_P2uecOvC2TjYIL_DA-D1QtRpJnPG4vnWA6GkYeePAI"
    "LnaFnm-DWgbS2tV43uL4POQxs35vIz0lUEKdD4JozK57MlIJlwZEa8Nt92akK0D_mNlf7xYl"
    "DXD-uepwcee7d3Pfa0ZS6NdlsY3hMGptQn8at6UZEsVPWuVpjceXyZI0tSOzEuYPLqweGBis"
    "G6V_1mZwTVbTY6-rA-JvFireIyRbIqswefV74bW-YKHcbENOR8qYGYf7KuXFylWoyYb7TQ8g"
    "_tEQP5w\",\"e\":\"AQAB\"}";
static const char key_ec256[] =
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MnC4FYa-x520ihQBonbGXdhJrzROKP"
    "lblzHC89lPLD8\",\"y\":\"-XJUzMWdmErsPTc0YYfKNzOLDb5CqhAu0mQheyalcQc\"}";
static const char key_ec384[] =
    "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"QhzI2qQuUJMr1WHmxqDwBYbauvohhQ"
    "6tSkgZ31S9x_SNFsiC6W7zmNiHOysgOKUG\",\"y\":\"pLQGebH7T2eEP9u45fcUR2SC3Ia"
    "FmJ11cBdtvnaQ4ZmwQmPLMDT7Rmfpf49x9nF_\"}";
static const char key_ec521[] =
    "{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AD0zfYd98oq1x7mA83nNQZe_rvaxK4"
    "V0xukqH3abReg8LyqPB4ieW5jy1bixESmdzurFHMBCeh7kd90kynLZTWuu\",\"y\":\"AC_"
    "N7jM_NebE_rUpwDv3YNLbHNJUmHApWTD-7tuJE7qHiK_cqBHYVKX5j795Ko2QFf0IxEp6vjP"
    "0_OQASlKXwPhY\"}";

static const struct {
    const char *alg, *key, *token;
} signed_by[] = {
    { "HS256", key_oct,
      "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0.Sf3mFBl"
      "Z3ieFyvnsU1PaowGRFHYrHdai8NnUp_Gc3Os" },
    { "HS384", key_oct,
      "eyJhbGciOiJIUzM4NCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0.Zs7Frin"
      "X0GvWdIRUR5O-A7gKNM3sLtlzkcti82YACLhurA2psp5OvCHQkmr1mw4_" },
    { "HS512", key_oct,
      "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0.8m-JEtv"
      "0CCGLMyMiEjyYv9sjJBfhijzIqm4AYHTsF1a5q35pRcxqjRFd1bZHU9LiExbB9rLckpZA1Wz"
      "lErAfjg" },
    { "RS256", key_rsa,
      "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0.L1vpbT0"
      "fd-7P2FDGzd6Uwxlb4VkN3m4MEuJxkecPyb-d9PsBURkdhWAj0_KQx8K56Chmunw79-ilHXX"
      "VF9fhVuQaPmTG_VJHMgpUIz8qlTCgWz7Ee3tenAJX9n44eELKJlWIJckWJziRFL5EAzy4tZA"
      "B70rXZUu-ENJRT3uWvKbyimH_bJCtcPJAVMU8dOOPeHXNtw_9rwJ8B2-bdt-zbGAVkdEFOpB"
      "p-5F1y-M0tOua3XwreIs8PVks__AXa-IB3Ct0cffaJNlWk3mTDtKkHEBHr9ZKA_5nVbvLR_n"
      "dYMIpNiprKhdgOqUbFAxZEDtHmpK6lzGBEQHQw1L-EQqrQg" },
    { "RS384", key_rsa,
      "eyJhbGciOiJSUzM4NCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0.PZYY6jO"
      "j5wDKFH-mejllogaMVJE1jPXId0uyK4fp5NeQW_FeUDG4_-GU3juvslGRNQX6yMRMKbVHn8g"
      "m_ho1JOJD0uWiplImVkJFg38KhT6mhoY3yzt8OJP8WDPxOM0GBcaWevRrTpH67ZAvHk5QYXo"
      "ojhohOCxNYhdhCyd2uM34ko6gLHcWBCZPtkPwt34LvrjrBzj6dj_wupZ6ek1LtNVk7sfsgef"
      "bKoiJo5j1x3H_wn-bVd5D4AKCBpOyvSb6ZM2zUPUhkubFGmMw9paiTzmaEJOHmqEmEkwbPXE"
      "7JLklHZm07P3cF1ADL07SAi4QTpxzBscdXSX__k4TIJV2eg" },
    { "RS512", key_rsa,
      "eyJhbGciOiJSUzUxMiJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0.le_snUY"
      "miCp9rYxoB6qaOLsJePzd6XtbiE4rKcQdGmVrV8Toi5TaX7Kn6l3t-C2veuYtUXiud-a6Yc8"
      "NRFR-ORsxRbT-dGZ_SVQm4ZnGe7Q8933KULzszZzNaOZCvkk3eHAh0pkQXs7kySfvk55OK5Y"
      "4zz8DbPQU1dKYljuls8wLG1r_8zEEM4ORs6th06e5cinVWaah_Z7u90d12-aA7oMLqF_U0rc"
      "N_MF9oTz8rmjj7f56baiczO7vDXMAR1JTQ6u_eM5trKH1cuenBYrFtoyRUGvwsXk8AOxr0KA"
      "M5Q1tdgOovz7bUzJJO8zMjFUYKESYoBBkOTFK7GlDDrwkJg" },
    { "PS256", key_rsa,
      "eyJhbGciOiJQUzI1NiJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0.sgHlnV-"
      "OgZmn3LDdv8ejRRlEd2KFe8tdbZ0F-oFdcEXgGhLj6_3yTTwa66fPCtPvFhmDwFnG0yJk0Hi"
      "QQVLc98EJlYFXJ61OZZ2H_G1XDyrF1JpTVyXAewiI0sVEk6Au_FwxTNqUZmOzKj2jNjscqW6"
      "DBeKYvTcVRzh9vuIyOMSX7gXAkEXRHuUeC88F6QOC25le2vt640REolr_t6ZIJUdDwH77I0E"
      "zfELpYXvhoA0y_TIqgWSG1Rq8_SlT_iRiYDefI1H7NLk-SyhvCdtpE1GCX1lK6vRsYncmQVc"
      "dhrQQn7tKdhEK0IoIE3QfTk7JwyD77EVTvMvd13bX68l_UQ" },
    { "PS384", key_rsa,
      "eyJhbGciOiJQUzM4NCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0.VFMQZrz"
      "2KwtgSzwGeLPayBJl-qUCQikazJOjEodlxHTrr_JyhLPRnnBOQ9OxGbYhwgzEGWuphllOU_8"
      "aWDDbbh6wbvsV9vSH9QAfKr4_uM0YoAGGJ0S3dEQRw9maE7gZJbsRV7g5Lupf9gGJYcWpnCP"
      "nO4svJ5Tq2RXWgSQCPc3sUI238IANApTpN6MyLq_7aTDMGePq5-Xx0RbC0AwGuJA32V1obBD"
      "sTVs6r7Q557ngZN8j17aEN2E4ZP_--I5J1uJMtDbWlS8A4yg0-7cHuc6jHsFFDkaYlOya-nv"
      "lGGtF_3b_EWQ80yW35fML4ZwtH1ctMbYrRK14LBvmv6XCQA" },
    { "PS512", key_rsa,
      "eyJhbGciOiJQUzUxMiJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0.Sr37KNr"
      "2YWe5OY5p7KeileQmz-1-jFQJsZHTX4W1OwZFuokKYK9DTy4mS0OuXIGxGyhjPibbEQtuxjS"
      "XvVidAwwvbktSRdMyl7f5V7cyFV4oOzrrQHRm-eAq12kKltW7PJ_rNTBn-qpKEg8iDY6eS71"
      "arR18GiCakD8I-cxaC4eTtHCN99O6QKK1u0ern2ezkS3qIhz5f-xCyzxEnkPoXiAPdifnYzC"
      "B0CmzqcN12-qn4EFViCsySYsGsBQNj_5gDtjfDp9Uf57_UK9yckIT4XU2nWtm0RlmL8phgVo"
      "pV3BLZxkrQ-YcbKPKCasUbOYrgDrDU5xX1UAVTwJNjIOZYg" },
    { "ES256", key_ec256,
      "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0.VTUWUXG"
      "La8g14QbMC7rdEbku8uDfuxKF4aLscKa2gx9WVD6BPO9-gQhdumiJxEVGXM5Z8w0KidI03HP"
      "0r3I-8A" },
    { "ES384", key_ec384,
      "eyJhbGciOiJFUzM4NCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0.57MIaSr"
      "S40_WGPvpTUN0ZrDBkWZLwN3j7HFs2EWEgDaFI4WTBQakJfasCCdxZLYBY995keZ6m3RSMIS"
      "WbH0ze9LpfUaKE0F-0b3U7Hmw9V-bjg4yfU33cQD93GyVUvyx" },
    { "ES512", key_ec521,
      "eyJhbGciOiJFUzUxMiJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0.ATqXtAo"
      "PMotKzUTuN4vfXKnYz8mG17rMYGFprvGM__4qqB_xnBm6w_JSIIutnjSJnvT5qSlaAIeDiEU"
      "-86MnK9p4AfR80-2bhAeZk4iCHAJREpLTX_v-H3U9yGytuD2eml5PVPNlbleegoIqlbnYp4u"
      "6ZtK6PNspDlOKepJsKisUGJrO" },
    { NULL }
};

#endif
