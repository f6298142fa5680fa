"""All settings. Each comes from the environment or from a file `.env` beside manage.py; .env.example explains
them.

Two sizes, one code: without any setting this is one machine with SQLite and a broker made of files;
DATABASE_URL and CELERY_BROKER_URL make it PostgreSQL and Redis or RabbitMQ.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from config.secrets import secret_key

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# pytest sets PYTEST_VERSION for itself and for the processes it starts. Tests read no .env and write to a
# folder that goes away, so that they can never touch the data of an installation in the same checkout.
TESTING = "PYTEST_VERSION" in os.environ
if not TESTING:
    environ.Env.read_env(BASE_DIR / ".env")
for _name, _value in import_string("jobs.program.ENVIRONMENT").items():
    os.environ.setdefault(_name, _value)


def _test_data_dir() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="gyre-test-"))
    owner = os.getpid()  # a forked child must not take the folder with it when it exits
    atexit.register(lambda: os.getpid() == owner and shutil.rmtree(folder, ignore_errors=True))
    return folder


if "TEST_DATA_DIR" in os.environ:
    DATA_DIR = Path(os.environ["TEST_DATA_DIR"])
elif TESTING:
    DATA_DIR = _test_data_dir()
else:
    DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / "var"))).expanduser().resolve()
try:
    for _folder in ("media", "artifacts", "broker", "broker/control", "work", "logs"):
        (DATA_DIR / _folder).mkdir(parents=True, exist_ok=True)
except OSError as _error:
    raise ImproperlyConfigured(
        f"the data folder {DATA_DIR} cannot be made ({_error.strerror}): set DATA_DIR to another one"
    ) from _error

# --- web ---------------------------------------------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="") or secret_key(DATA_DIR / "secret_key")
HOST = env.str("HOST", default="127.0.0.1")
PORT = env.int("PORT", default=8000)
WEB_WORKERS = env.int("WEB_WORKERS", default=2)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
BEHIND_HTTPS = env.bool("BEHIND_HTTPS", default=False)

INSTALLED_APPS = [
    "config.apps.ConfigConfig",
    "config.apps.GyreAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "axes",
    "accounts.apps.AccountsConfig",
    "jobs.apps.JobsConfig",
    "annotation.apps.AnnotationConfig",
    "training.apps.TrainingConfig",
    "selection.apps.SelectionConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.policy.PolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.PreferencesMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "accounts.middleware.ErrorPages",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "annotation.context.frame",
                "accounts.context.appearance",
            ],
        },
    },
]

# --- database ----------------------------------------------------------------------------------------------
DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'db.sqlite3'}")}
DATABASES["default"]["CONN_MAX_AGE"] = None  # on SQLite a connection a request halves throughput
if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql" and env.bool("POSTGRES_PREPARED", False):
    # Planning is half of what PostgreSQL does for the queue. Not the default: poolers that change the connection
    # between transactions (PgBouncer) lose prepared statements.
    DATABASES["default"]["OPTIONS"] = {"server_side_binding": True, "prepare_threshold": 3}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    _synchronous = env.str("SQLITE_SYNCHRONOUS", default="NORMAL")
    DATABASES["default"]["ENGINE"] = "config.sqlite"
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",  # deferred ones fail by the thousand under 32 writers
        "timeout": 30,
        # The scheduler copies the log back each second (jobs.copy_back); at 200 MB whoever writes next does it.
        "init_command": f"PRAGMA journal_mode=WAL; PRAGMA synchronous={_synchronous}; "
        "PRAGMA wal_autocheckpoint=50000;",
    }
    # A file, not memory: other threads and processes of a test (heartbeat, live server) must be able to open
    # it.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- people ------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "accounts.backends.PeopleBackend"]
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/accounts/login/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
if TESTING:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the real one takes 0.3 s a user
PASSWORD_RESET_TIMEOUT = 3 * 24 * 3600
AXES_FAILURE_LIMIT = env.int("LOGIN_FAILURE_LIMIT", default=8)
AXES_COOLOFF_TIME = env.int("LOGIN_COOLOFF_MINUTES", default=15) / 60  # axes counts in hours
# By name and address together: one person's typing errors do not lock out a whole office, nor a stranger's
# them.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_TEMPLATE = "accounts/login/locked.html"
AXES_RESET_ON_SUCCESS = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
SESSION_ENGINE = "accounts.sessions"
SESSION_COOKIE_AGE = 30 * 24 * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_HTTPS
SECURE_HSTS_SECONDS = 30 * 24 * 3600 if BEHIND_HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_HTTPS else None
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}

# --- mail (invitations, forgotten passwords); without a server mails go to the log of the web process ------
if "EMAIL_URL" in os.environ:
    vars().update(env.email_url("EMAIL_URL"))
else:
    EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="gyre@localhost")

# --- languages, time, files --------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [
    BASE_DIR / "static",
    ("img/strategies", BASE_DIR / "docs" / "img" / "strategies"),  # docs and launch form show the same
]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "config.static.BundleFinder",
]
MEDIA_ROOT = DATA_DIR / "media"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if TESTING or DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = TESTING or DEBUG
DATA_UPLOAD_MAX_MEMORY_SIZE = (
    16 * 1024 * 1024
)  # a bulk call of the API; files are streamed and have no such bound
DATA_UPLOAD_MAX_NUMBER_FIELDS = 12_000  # the editor of a schema: nine fields a label, a thousand labels
IMPORT_MAX_MB = env.int("IMPORT_MAX_MB", default=20_000)  # the largest file that may be uploaded
FILE_UPLOAD_TEMP_DIR = str(DATA_DIR / "work")

DEMO = env.bool("DEMO", default=True)  # make the demo project on the first start
STRATEGY_MODULES = env.list("STRATEGY_MODULES", default=[])  # a deployment's own ways to choose a batch
MODEL_FOLDERS = env.list("MODEL_FOLDERS", default=[])  # besides DATA_DIR/models, where base models may lie

# --- background work ---------------------------------------------------------------------------------------
JOBS_STALE_SECONDS = env.float(
    "JOBS_STALE_SECONDS", default=10.0
)  # no heartbeat for so long: the job is sent again
JOBS_TICK_SECONDS = env.float("JOBS_TICK_SECONDS", default=1.0)
TRAINING_SECOND_COPY = env.str("TRAINING_SECOND_COPY", default="")  # a folder elsewhere for checkpoints
TRAINING_MLFLOW_URI = env.str("TRAINING_MLFLOW_URI", default="")  # where curves are told besides
TRAINING_NODES = env.str("TRAINING_NODES", default="1")  # machines of a training run, or least:most
TRAINING_RENDEZVOUS = env.str("TRAINING_RENDEZVOUS", default="")  # host:port where they meet
TRAINING_GPU_POOL = env.str("TRAINING_GPU_POOL", default="")  # programs read it where they run
POOL_INDEX_MB = env.int("POOL_INDEX_MB", default=1000)  # memory that one project's index may take
WORKER_NICE = env.int("WORKER_NICE", default=10)  # how far jobs give way to the web server, 0 to 19
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="memory://" if TESTING else "filesystem://")
if CELERY_BROKER_URL.startswith("filesystem://"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(DATA_DIR / "broker"),
        "data_folder_out": str(DATA_DIR / "broker"),
        "control_folder": str(DATA_DIR / "broker" / "control"),
        "polling_interval": 0.1,  # the default of 1 s would handle three tasks a second
    }
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "cpu"
CELERY_TASK_PUBLISH_RETRY_POLICY = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.2,
}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# --- API ---------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "accounts.api.negotiation.Negotiation",
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser", "rest_framework.parsers.MultiPartParser"],
    "DEFAULT_PAGINATION_CLASS": "accounts.api.pagination.Pages",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "accounts.api.errors.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Gyre",
    "DESCRIPTION": "Label, train, evaluate, pick what to label next. Send `Authorization: Bearer TOKEN`.",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "ProjectStateEnum": "annotation.models.Project.State",
        "ItemStateEnum": "annotation.selectors.item_filters.STATES",
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "axes": {"level": "WARNING"},
        "faiss": {"level": "WARNING"},
        "celery": {"level": "INFO"},
        "kombu": {"level": "ERROR"},
    },
}
