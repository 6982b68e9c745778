"""The DNS doctor: whether mail from a domain through a relay will be believed (SPF, DKIM, DMARC, MX, PTR).

`doctor.examine` asks; `findings` has the vocabulary; the others are one RFC each. Nothing here opens a socket:
the resolver and the clock are arguments.
"""
