"""The one place where Django and PyTorch meet."""

import classifier  # noqa: F401  before torch: it says how torch's threads wait
