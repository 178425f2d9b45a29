"""What a config.json, or another format's config, tells of the network: layers, context, cache."""
