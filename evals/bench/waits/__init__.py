"""How long runs wait beyond the pace of the model."""
