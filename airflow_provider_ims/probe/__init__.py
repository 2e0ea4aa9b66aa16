"""The probe of a real cloud: one copy, watched closely, and what it tells of the points that no documentation settles.

``record`` is what was seen, ``questions`` what is asked of it, ``running`` does it, ``report`` writes it down.
"""
