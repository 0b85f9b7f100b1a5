"""The notebooks, and in :mod:`notebooks.lab` what stands behind them."""
