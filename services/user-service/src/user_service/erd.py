"""Print this service's tables as JSON: `python -m user_service.erd`."""

import sys

from shared.erd import dumps
from user_service import models
from user_service.core.database import Base

__all__ = ["models"]  # importing it declares every table

if __name__ == "__main__":
    sys.stdout.write(dumps(Base.metadata))
