"""Install makd: ``pip install -e .`` for a user, ``make setup`` for the exact versions that were tried together."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def read_version() -> str:
    """Return the version that makd/version.py gives, without importing the package, which needs its dependencies."""
    match = re.search(r"__version__ = '(.+)'", (ROOT / 'makd' / 'version.py').read_text(encoding='utf-8'))
    assert match, 'makd/version.py defines no __version__'
    return match.group(1)


setup(
    name='makd',
    version=read_version(),
    description='Multi-aspect knowledge distillation: what a multimodal LLM sees, in a small, fast vision model',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    classifiers=[
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    packages=find_packages(include=['makd', 'makd.*']),
    package_data={
        'makd.analysis.browse': ['*.css', '*.html', '*.js'],
    },
    python_requires='>=3.10,<3.14',
    # Ranges; the exact versions that were tried together stand in requirements/constraints.txt.
    install_requires=[
        'torch>=2.6',  # before, weights_only=True could be made to run code (CVE-2025-32434)
        'torchvision>=0.21',
        'onedl-mmengine>=0.10.12',
        'onedl-mmcv>=2.3.6',
        'onedl-mmdetection>=3.5.1',
        'onedl-mmpretrain>=1.3.6',
        'transformers>=4.57,<5',  # with 5, importing mmpretrain.models fails
        'openai>=3',
        'pydantic>=2',
        'tqdm>=4.60',
        'numpy>=1.26',
        'pillow>=10',
        'safetensors>=0.4',
        'scikit-learn>=1.4',
        'scipy>=1.11',
        'matplotlib>=3.8',
    ],
    extras_require={
        'annotate': [  # what some models need: those over several devices, and SmolVLM
            'accelerate>=1',
            'num2words>=0.5',
        ],
        'export': [  # tools/export_student.py to ONNX
            'onnx>=1.17',
            'onnxruntime>=1.20',
            'onnxscript>=0.5',
        ],
        'ray': ['ray>=2.60,<3'],  # tools/annotate.py --launcher ray
        'dev': [
            'furo>=2024.8.6; python_version >= "3.11"',
            'hypothesis>=6.100',
            'import-linter>=2.15',
            'mypy>=1.11',
            'myst-parser>=4; python_version >= "3.11"',
            'num2words>=0.5',
            'onnx>=1.17',
            'onnxruntime>=1.20',
            'onnxscript>=0.5',
            'playwright>=1.48',  # with a Chromium of the system, it downloads none
            'pre-commit>=3.7',
            'psutil>=5.9',
            'pyarrow>=16',
            'pytest>=8',
            'pytest-cov>=7',
            'pytest-xdist>=3.6',
            'ray>=2.60,<3',
            'ruff>=0.6',
            'sphinx>=8.1; python_version >= "3.11"',
            'sphinx-copybutton>=0.5; python_version >= "3.11"',
            'tensorboard>=2.16',
        ],
    },
)
