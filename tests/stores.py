"""A store of this machine that speaks S3 (moto), for tests; `s3` gives a fresh bucket, `msc` the same by a profile."""

import itertools
import json
import logging
import os

import pytest

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """The address of the store, which all tools find by the environment, as they find one of the user's."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
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
    yield url
    for name, value in before.items():
        if value is None:
            os.environ.pop(name)
        else:
            os.environ[name] = value
    server.stop()


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
