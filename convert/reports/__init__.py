"""Everything drawn or written for people: pages, tables, figures, galleries, the terminal."""
