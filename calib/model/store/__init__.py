"""What a store records and answers: records, certifications, resolution, log, bundles."""
