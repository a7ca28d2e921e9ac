"""A pip that downloads nothing: see __main__. What else is asked of it comes from the real one."""

import sys
from pathlib import Path

_real = Path(sys.prefix) / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
__path__.append(str(_real / "site-packages" / "pip"))
