"""Settings of every test run; they have to stand before torch and matplotlib are imported."""

import os

# Models in tests are tiny: more threads cost more than they bring.
os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ.setdefault('MPLBACKEND', 'Agg')

import makd  # noqa: F401  (torchvision's operators for mmcv, before a test imports mmdet)
