"""One module per evaluation: `Params`, `REQUIRED`, `load`, `check`, `estimate`, `sensitivity`, in this order."""
