"""What the headers of weight files tell: counts, number formats, packing, memory."""
