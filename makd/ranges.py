"""Types of numbers with a range: annotations of arguments, by which the values of a config are checked."""

from typing import Annotated

from pydantic import Field

Count = Annotated[int, Field(ge=1)]
"""An integer from 1."""
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""A finite number above 0."""
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""A finite number from 0."""
Probability = Annotated[float, Field(ge=0, le=1)]
"""A number in [0, 1]."""
