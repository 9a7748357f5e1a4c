use std::collections::BTreeSet;

use super::words::WORDS;
use super::*;

/// Every number the public references name for what we do: clouds, assertions, federated credentials, consent, signing
/// in and the token endpoint.
const NAMED: &[u32] = &[
    90002, 90038, 900382, 900432, 9001023, 90124, 90130, 50194, // clouds and tenants
    700027, 700030, 50012, 50027, 700024, 50048, // assertions
    70021, 700213, 700211, 700212, // federated credentials
    65004, 700016, 65001, // consent
    700082, 70008, 50173, 50089, 70043, 50132, 50133, 50076, 50079, 50074, 53003, // refresh tokens
    700011, 7000215, 7000222, 7000218, 700025, 50013, 700229, 700022, 700023, 70011, 7000112, 70001, 650056, 65005,
    650057, 650052, 90094, 90095, 90093, 500011, 50059, 90019, 50128, 50034, 51004, 90072, 90020, 50107, 50057, 700084,
    70000, 54005, 501481, 50147, 53000, 530032, 530034, 50196, 90055, 90024, 90006, 90033, 90090, 50033, 90012,
];

#[test]
fn every_number_has_a_meaning_of_its_own_and_a_cure() {
    let (mut numbers, mut meanings) = (BTreeSet::new(), BTreeSet::new());
    for entry in TABLE {
        assert!(numbers.insert(entry.number), "{} is there twice", entry.number);
        assert!(meanings.insert(entry.means), "{} shares its meaning", entry.number);
        for text in [entry.means, entry.cure] {
            assert!(text.len() > 10 && text.ends_with(['.', '?']), "{}: {text}", entry.number);
            assert!(!text.contains("  "), "{}: {text}", entry.number);
        }
        assert_ne!(entry.kind, SignInErrorKind::Unknown, "{}", entry.number);
        let (kind, explained) = explain("invalid_client", &format!("AADSTS{}: words 'of theirs'.", entry.number));
        assert_eq!((kind, explained.code), (entry.kind, format!("AADSTS{}", entry.number)));
        assert_eq!((explained.means.as_str(), explained.cure.as_str()), (entry.means, entry.cure));
    }
    for number in NAMED {
        assert!(numbers.contains(number), "{number} is not explained");
    }
}

#[test]
fn every_word_has_a_meaning_of_its_own_and_a_cure() {
    let (mut words, mut meanings) = (BTreeSet::new(), BTreeSet::new());
    for word in WORDS {
        assert!(words.insert(word.text) && meanings.insert(word.means), "{}", word.text);
        assert!(!word.cure.is_empty() && !TABLE.iter().any(|entry| entry.means == word.means), "{}", word.text);
        let (kind, explained) = explain(word.text, "");
        assert_eq!((kind, explained.code.as_str()), (word.kind, word.text));
    }
    for class in [
        "invalid_request",
        "invalid_grant",
        "unauthorized_client",
        "invalid_client",
        "unsupported_grant_type",
        "invalid_resource",
        "interaction_required",
        "consent_required",
        "temporarily_unavailable",
        "invalid_scope",
    ] {
        assert!(words.contains(class), "{class}");
    }
}

#[test]
fn a_refused_consent_is_understood_on_the_new_page_and_the_old() {
    let new = explain("consent_required", "AADSTS65004: User declined to consent to access the app.");
    let old = explain("permission_denied", "The admin canceled the request");
    let sign_in = explain("access_denied", "the user canceled the authentication");
    for (kind, explained) in [new, old, sign_in] {
        assert_eq!(kind, SignInErrorKind::DeclinedConsent, "{explained:?}");
        assert!(explained.cure.contains("hardmatch auth connect"), "{explained:?}");
    }
}

#[test]
fn policies_are_known_by_their_range_too() {
    for number in [53005, 53011, 530001, 530035] {
        let (kind, explained) = explain("interaction_required", &format!("AADSTS{number}: text"));
        assert_eq!((kind, explained.code), (SignInErrorKind::ConditionalAccess, format!("AADSTS{number}")));
        assert_eq!(kind_of(&format!("AADSTS{number}")), SignInErrorKind::ConditionalAccess);
    }
}

#[test]
fn an_unknown_number_is_explained_by_its_word() {
    let (kind, explained) = explain("interaction_required", "AADSTS50999: something new");
    assert_eq!((kind, explained.code.as_str()), (SignInErrorKind::InteractionRequired, "AADSTS50999"));
    assert_eq!(explain("whatever", "AADSTS50999: something new").0, SignInErrorKind::Unknown);
}

#[test]
fn nothing_that_a_stranger_wrote_is_repeated() {
    let (kind, explained) = explain("<script>alert(1)</script>", "call 555-0100 and AADSTSx pay");
    assert_eq!((kind, explained.code.as_str()), (SignInErrorKind::Unknown, "unknown_error"));
    assert!(!format!("{explained:?}").contains("script") && !format!("{explained:?}").contains("555"));
}

#[test]
fn a_code_of_an_error_leads_to_its_kind() {
    assert_eq!(kind_of("AADSTS7000215"), SignInErrorKind::WrongSecret);
    assert_eq!(kind_of("AADSTS90038"), SignInErrorKind::WrongCloud);
    assert_eq!(kind_of("invalid_grant"), SignInErrorKind::RevokedRefreshToken);
    assert_eq!(kind_of("unreachable"), SignInErrorKind::Unknown);
}
