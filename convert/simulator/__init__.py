"""AXI image formation for through-hole joints: geometry, solder, laminography, detector, job folders."""
