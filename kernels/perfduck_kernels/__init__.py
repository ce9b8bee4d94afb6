"""Hot loops on columns."""
