"""Django's settings. Wiring only: values come from `env.py`."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from urllib.parse import urlsplit

from partwell.config.database import database_settings
from partwell.config.env import SETTINGS, read, read_flag, read_list, read_number
from partwell.config.logs import log_settings
from partwell.config.mail import mail_server

PACKAGE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(read("PARTWELL_DATA_DIR")).expanduser().resolve()
BASE_URL = read("PARTWELL_BASE_URL").rstrip("/")


def _secret_key() -> str:
    """The configured key, or one made on first use and kept in the data folder, readable by us alone."""
    if key := read("PARTWELL_SECRET_KEY"):
        return key
    path = DATA_DIR / "secret-key"
    if not path.exists():
        DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(50))
        except FileExistsError:
            pass  # another process was first; its key is ours
    return path.read_text().strip()


SECRET_KEY = _secret_key()
SECRET_KEY_FALLBACKS = read_list("PARTWELL_SECRET_KEY_FALLBACKS")
DEBUG = False
ALLOWED_HOSTS = [
    "localhost",
    "127.0.0.1",
    "[::1]",
    urlsplit(BASE_URL).hostname or "",
    *read_list("PARTWELL_ALLOWED_HOSTS"),
]
BEHIND_PROXY = read_flag("PARTWELL_BEHIND_PROXY")
USE_TLS = BASE_URL.startswith("https://")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "partwell.evidence",
    "partwell.engine",
    "partwell.documents",
    "partwell.people",
    "partwell.signals",
    "partwell.departures",
    "partwell.access",
    "partwell.journeys",
    "partwell.first_run",
    "partwell.api",
    # Before allauth, so that our templates are found first.
    "partwell.web",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
]

MIDDLEWARE = [
    "csp.middleware.CSPMiddleware",
    "partwell.web.middleware.EncryptedOnly",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "partwell.web.middleware.FirstRun",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "partwell.web.middleware.ViewerClock",
    "partwell.web.translate.RefusalMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "partwell.config.urls"
DATABASES = {"default": database_settings(read("PARTWELL_DATABASE_URL"), DATA_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "people.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AUTHENTICATION_BACKENDS = ["partwell.web.signin.Backend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "partwell.web.signin.AccountAdapter"
ACCOUNT_FORMS = {"login": "partwell.web.signin.SignInForm"}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
# Addresses come from the register, not from the one who signs in; nothing is left to verify.
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if USE_TLS else "http"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 15 * 60
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "20/m/ip,5/5m/key",
    "reauthenticate": "10/m/user",
    "reset_password": "20/m/ip,5/h/key",
    "reset_password_from_key": "20/m/ip",
    "change_password": "5/m/user",
}
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if BEHIND_PROXY else 0
MFA_ADAPTER = "partwell.web.signin.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_TOTP_ISSUER = "Partwell"
# One step of 30 s either way (RFC 6238, 5.2): phones' clocks differ, and people type slowly.
MFA_TOTP_TOLERANCE = 1
USERSESSIONS_TRACK_ACTIVITY = False
# Shared by all processes, so that limits and used one-time codes count once for the whole installation.
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "shared_cache"},
}
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "partwell.web.context.shell",
            ],
        },
    },
]

LOGGING = log_settings(read("PARTWELL_LOG_LEVEL").upper(), pretty=sys.stderr.isatty())

LANGUAGE_CODE = read("PARTWELL_LANGUAGE")
TIME_ZONE = "UTC"
USE_TZ = True
DEFAULT_PERSON_TIMEZONE = read("PARTWELL_TIMEZONE")
DEFAULT_COUNTRY = read("PARTWELL_COUNTRY")
# For the settings page: which settings there are and whether each is set; never what to.
ENVIRONMENT = [
    (setting.name, bool(os.environ.get(setting.name)), setting.meaning.replace("`", ""))
    for setting in SETTINGS
]
OUTBOUND_ALLOW = read_list("PARTWELL_OUTBOUND_ALLOW")
GHOST_SWEEP_HOURS = read_number("PARTWELL_GHOST_SWEEP_HOURS")
CONNECTORS_DIR = read("PARTWELL_CONNECTORS_DIR")

STATIC_URL = "static/"
# Served out of the package itself; there is nothing to collect.
STATIC_ROOT = None
MEDIA_ROOT = DATA_DIR / "files"
WHITENOISE_USE_FINDERS = True

# With TLS the names are bound to this very host, so that no neighbour under the same domain can set them.
SESSION_COOKIE_NAME = "__Host-partwell" if USE_TLS else "partwell"
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = USE_TLS
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "__Host-partwell-csrf" if USE_TLS else "partwell-csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SECURE = USE_TLS
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "partwell.web.errors.csrf_failure"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    },
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_SSL_REDIRECT = USE_TLS and not BEHIND_PROXY
SECURE_HSTS_SECONDS = 31_536_000 if USE_TLS else 0
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# HSTS for sub-domains, and browsers' preload list: the domain around this host is not ours to decide about.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# Whatever Django or allauth mails goes through our outbox, and from there to this server, if there is one.
EMAIL_BACKEND = "partwell.signals.backend.OutboxBackend"
MAIL_SERVER = mail_server(read("PARTWELL_SMTP_URL"))
DEFAULT_FROM_EMAIL = read("PARTWELL_MAIL_FROM")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
