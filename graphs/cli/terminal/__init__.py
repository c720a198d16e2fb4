"""What a person sees and types in a terminal while a run goes on."""
