"""A store of this machine that speaks S3 (moto), for tests; `s3` gives a fresh bucket, `msc` the same by a profile.

What it is asked for is noted, and it can be told to fail now and then.
"""

import itertools
import json
import logging
import os
import threading
from dataclasses import dataclass, field

import pytest

_NUMBERS = itertools.count()


@dataclass
class Watched:
    """A server's application, whose requests are noted, and some of which go wrong."""

    application: object
    #: (method, key and query, bytes that were given).
    requests: list = field(default_factory=list)
    #: Told of method and key; gives "busy" or "denied" for such an answer, "cut" for one that breaks off, or None.
    fails: object = None

    def __call__(self, environ, start_response):
        method, key = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        fault = self.fails and self.fails(method, key)
        if fault == "busy":
            start_response("503 Slow Down", [("Content-Type", "text/xml")])
            return [b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"]
        if fault == "denied":
            start_response("403 Forbidden", [("Content-Type", "text/xml")])
            return [b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"]
        data = b"".join(self.application(environ, start_response))
        self.requests.append((method, f"{key}?{environ['QUERY_STRING']}", len(data)))
        return _cut(data) if fault == "cut" else [data]

    @property
    def given_bytes(self):
        return sum(size for method, _, size in self.requests if method == "GET")


def _cut(data):
    yield data[: len(data) // 2]
    raise ConnectionResetError


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """The server of the store, which all tools find by the environment, as they find one of the user's."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = Watched(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.port}"
    profile = {
        "storage_provider": {
            "type": "s3",
            "options": {"base_path": "", "endpoint_url": url, "region_name": "us-east-1"},
        },
        "credentials_provider": {
            "type": "S3Credentials",
            "options": {"access_key": "of-a-test", "secret_key": "kept-secret"},
        },
    }
    config = tmp_path_factory.mktemp("msc") / "config.json"
    config.write_text(json.dumps({"profiles": {"test": profile}}))
    settings = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "of-a-test",
        "AWS_SECRET_ACCESS_KEY": "kept-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "MSC_CONFIG": str(config),
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    yield application
    for name, value in before.items():
        if value is None:
            os.environ.pop(name)
        else:
            os.environ[name] = value
    server.shutdown()


@pytest.fixture
def watched(store):
    """The server of the store, of whose requests none are noted yet."""
    store.requests.clear()
    yield store
    store.fails = None


@pytest.fixture
def bucket(store):
    """The name of a bucket without anything in it."""
    import fsspec

    name = f"bucket-{os.getpid()}-{next(_NUMBERS)}"
    fsspec.filesystem("s3").mkdir(name)
    return name


@pytest.fixture(params=["s3", "msc"])
def folder(request, bucket):
    """An empty folder of a store, by the URL of each way to it."""
    return f"{'s3:/' if request.param == 's3' else 'msc://test'}/{bucket}/folder"


@pytest.fixture
def msc(bucket):
    """An empty folder of a store, by NVIDIA's multi-storage-client."""
    return f"msc://test/{bucket}/folder"


@pytest.fixture
def s3(bucket):
    """An empty folder of a store."""
    return f"s3://{bucket}/folder"
