"""``axi-convert evaluate``: the paper's tables, and what the paper lacks, for any number of models on one lot."""
