"""What image files say of themselves, looked at before they are decoded: decoders pass over it in silence.

How many pictures there are, of which samples, which way up, and whether sums of their own prove every pixel.
"""
