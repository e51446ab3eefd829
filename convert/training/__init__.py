"""How networks and what they are compared with are trained."""
