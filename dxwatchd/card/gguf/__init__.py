"""What a GGUF header tells: the same parts that other folders have in configs and in a README."""
