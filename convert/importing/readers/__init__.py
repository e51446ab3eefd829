"""One module for each kind of export, behind one port."""
