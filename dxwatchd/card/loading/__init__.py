"""What loading a model takes: files, tokenizer, modules, code, what would run, how it generates."""
