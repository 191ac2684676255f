"""Functions as AWS Lambda has them: Lambda's API, signatures, code, and what runs it."""
