"""What a returned message says: the parts of a report, the causes, and the programs that write prose.

Stage: bounce reading (RFC 3464, 3834, 5965, 6522, and the prose of programs that follow none).
`causes/` holds one cause a file, `writers/` one reporting program a file; `campaigns.mailer.bounce`
puts the verdict together.
"""
