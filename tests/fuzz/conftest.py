"""How many cases the fuzzers try: a few, always the same, in the suite; many, drawn anew, by ``make fuzz``."""

import os

from hypothesis import HealthCheck, settings

COMMON = dict(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
settings.register_profile('suite', max_examples=25, derandomize=True, database=None, **COMMON)
settings.register_profile('fuzz', max_examples=2000, print_blob=True, **COMMON)
settings.load_profile(os.environ.get('HYPOTHESIS_PROFILE', 'suite'))
