"""Print this service's tables as JSON: `python -m notification_service.erd`."""

import sys

from notification_service import models
from notification_service.core.database import Base
from shared.erd import dumps

__all__ = ["models"]  # importing it declares every table

if __name__ == "__main__":
    sys.stdout.write(dumps(Base.metadata))
