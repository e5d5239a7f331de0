"""What cria reads: one generator for each skill, all from seeds; `mix.py` joins them."""
