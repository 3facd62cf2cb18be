"""The adversarial packs by name; apart from what they do, so that the command line need not load pandas to list them."""

PACKS = {
    "duplicates": "1 % of the answers are in the table twice",
    "reversed_items": "the platform already turned the reversed items of CES-DC",
    "careless_school": "one school answers at random in three of ten cases",
    "moved_pupils": "1 % of the pupils answer in another school than the register says",
    "copied_answers": "one class hands in one sheet",
    "late_uploads": "uploads to the platform come sixty days late",
    "expired_certificates": "every fifth certificate has run out",
    "double_counted_families": "a fifth of the attendances are listed twice",
    "fallible_interview": "the interview misses one case in ten and errs for 3 % of the others",
    "nonignorable_verification": "cases are likelier to be interviewed than the stated chance says",
}
