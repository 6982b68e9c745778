"""Documents: a payslip as an encrypted file for one person, PDF or .xlsx. Pure, as the mailer is.

What a document says is given as a `Slip`; who it is for, and when it goes, is the pipeline's.
"""
