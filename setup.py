"""Packaging of mm2energon: only the library below toolkits/mm2energon is installed."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent

# What converting needs; no torch, so that a data-preparation node installs in seconds.
CORE = [
    "numpy>=1.24",
    "tqdm>=4.64",
    "av>=17.1,<19",  # 19 changed how files are opened; each major version is tried before it is let in
    "simplejpeg>=1.7",
    "pillow>=10.1",
    "orjson>=3.9",
    "msgspec>=0.19",  # 0.18 reads some integers of 65 bits wrong
    "pyyaml>=6",
    "webdataset>=0.2.100",
    "opencv-python-headless>=4.8",
]
EXTRAS = {
    "energon": ["torch>=2.4", "megatron-energon[av_decode]>=7"],
    "decord": ["decord>=0.6"],
    "parquet": ["pyarrow>=17"],
    "ray": ["ray>=2.40"],
    "s3": ["s3fs>=2024.6"],
    "gs": ["gcsfs>=2024.6"],
    "hf": ["huggingface-hub>=0.25"],
    "msc": ["multi-storage-client[boto3,fsspec]>=0.20"],
    # openai-whisper brings torch: where that is not there yet, constraints.txt keeps its CUDA build away.
    # faster-whisper takes pieces of sound one by one as given since 1.2.1.
    "speech": ["faster-whisper>=1.2.1", "openai-whisper>=20240930", "pocketsphinx>=5.0.4"],
    "tokens": ["tokenizers>=0.20"],
    # The page: no model, no torch.
    "studio": ["fastapi>=0.115", "uvicorn>=0.30", "httpx>=0.27"],
    # What the studio asks for videos of sites that no plain address leads to.
    "urls": ["yt-dlp>=2025.1.1"],
    "train": [
        "torch>=2.4",
        "megatron-energon[av_decode]>=7",
        "transformers>=4.57,<6",
        "peft>=0.17",
        "accelerate>=1.0",
    ],
}
EXTRAS["all"] = sorted({requirement for extra in EXTRAS.values() for requirement in extra})
_TESTED = ("energon", "decord", "parquet", "tokens", "train", "ray", "s3", "msc", "speech", "studio", "urls")
EXTRAS["dev"] = [
    *sorted({requirement for name in _TESTED for requirement in EXTRAS[name]}),
    "pytest>=8",
    "pytest-xdist>=3.6",
    "moto[s3]>=5",
    "flask>=3",
    "flask-cors>=4",
    "hypothesis>=6.100",
    "pysubs2>=1.7",
    "playwright>=1.45",
    "axe-playwright-python>=0.1.4",
    "schemathesis>=4",
    "fonttools>=4.40",
    "ruff>=0.11",
    "mypy>=1.15",
    "types-PyYAML",
    "types-tqdm",
]
# What `make bench` measures beside. torchcodec is left out: what PyPI has of it needs the CUDA build of torch; where
# another Python has it, TORCHCODEC_PYTHON names that one.
EXTRAS["bench"] = [*EXTRAS["all"], "ijson>=3.2"]

# What `make fuzz` is guided by; elsewhere it goes without.
EXTRAS["fuzz"] = ["atheris>=3; sys_platform == 'linux' and python_version >= '3.11' and python_version < '3.14'"]


def version() -> str:
    """The version, from its one place, without importing the package."""
    source = (HERE / "toolkits/mm2energon/__init__.py").read_text(encoding="utf-8")
    line = next(line for line in source.splitlines() if line.startswith("__version__"))
    return line.split('"')[1]


setup(
    name="mm2energon",
    version=version(),
    description="Multimodal chat data to Megatron-Energon shards for Qwen-VL training",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    package_dir={"": "toolkits"},
    packages=find_packages("toolkits", include=["mm2energon", "mm2energon.*"]),
    package_data={"mm2energon": ["py.typed", "studio/page/*"]},
    install_requires=CORE,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["mm2energon = mm2energon.cli:main"]},
)
