use super::*;

fn check(status: u16, code: &str, message: &str, expected: Verdict) {
    let body = format!(r#"{{"error":{{"code":"{code}","message":"{message}","innerError":{{"request-id":"r"}}}}}}"#);
    let error = GraphError::parse(body.as_bytes());
    assert_eq!(error.request_id, "r");
    assert_eq!(judge(status, &error), expected, "{status} {code} {message}");
}

fn refuse(kind: RefusalKind) -> Verdict {
    Verdict::Refused(kind)
}

#[test]
fn every_row_of_the_catalogue_has_its_meaning() {
    use RefusalKind::*;
    let bad = "Request_BadRequest";
    for (status, code, message, expected) in [
        (400, bad, "Another object with the same value for property proxyAddresses already exists.", refuse(Conflict)),
        (400, bad, "One or more properties contains invalid values.", refuse(Federated)),
        (400, bad, "Property userPrincipalName is invalid.", refuse(InvalidValue)),
        (
            400,
            bad,
            "The domain portion of the userPrincipalName property is invalid. You must use one of the verified domain names in your organization.",
            refuse(DomainNotVerified),
        ),
        (
            400,
            bad,
            "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently undergoing migration.",
            refuse(Mastered),
        ),
        (
            400,
            bad,
            "Unable to update the specified properties for objects that have originated within an external service.",
            refuse(ExternalMaster),
        ),
        (400, "AzureActiveDirectoryCannotUpdateObjectsOriginatedInExternalService", "x", refuse(ExternalMaster)),
        (400, bad, "Invalid value specified for property 'usageLocation' of resource 'User'.", refuse(InvalidValue)),
        (400, bad, "The specified password does not comply with password complexity requirements.", refuse(Password)),
        (400, bad, "License assignment cannot be done for user with invalid usage location.", refuse(UsageLocation)),
        (400, bad, "Subscription with SKU x does not have any available licenses.", refuse(NoSeats)),
        (
            400,
            bad,
            "License assignment failed because service plans X, Y are mutually exclusive.",
            refuse(LicenseConflict),
        ),
        (
            400,
            bad,
            "User license is inherited from a group membership and it cannot be removed.",
            refuse(LicenseInherited),
        ),
        (
            400,
            bad,
            "One or more added object references already exist for the following modified properties: 'members'.",
            Verdict::AlreadySo,
        ),
        (
            400,
            bad,
            "One or more removed object references do not exist for the following modified properties: 'members'.",
            Verdict::AlreadySo,
        ),
        (400, bad, "A resource cannot contain more than 20 link changes", refuse(Other)),
        (400, bad, "Cannot Update a mail-enabled security groups and or distribution list.", refuse(GroupType)),
        (400, bad, "The group must have at least one owner, hence this owner cannot be removed.", refuse(Other)),
        (400, bad, "A value is required for property 'displayName' of resource 'User'.", refuse(InvalidValue)),
        (400, "BadRequest", "The request is currently not supported on the targeted entity set", refuse(Other)),
        (400, "BadRequest", "Write request id : 1 does not contain Content-Type header or body.", refuse(Other)),
        (400, "Request_UnsupportedQuery", "Unsupported or invalid query filter clause", refuse(Other)),
        (400, "Directory_ExpiredPageToken", "The specified page token value has expired.", Verdict::CursorLost),
        (400, bad, "The specified skipToken is invalid.", Verdict::CursorLost),
        (400, bad, "Badly formed token: the deltaToken is not valid.", Verdict::CursorLost),
        (400, "Directory_ResultSizeLimitExceeded", "result size limit", refuse(Other)),
        (400, "syncStateNotFound", "The sync state generation is not found.", Verdict::CursorLost),
        (404, "syncStateNotFound", "x", Verdict::CursorLost),
        (410, "resyncRequired", "x", Verdict::CursorLost),
        (410, "anything", "x", Verdict::CursorLost),
        (401, "InvalidAuthenticationToken", "Access token has expired or is not yet valid.", Verdict::NewToken),
        (401, "Authentication_ExpiredToken", "x", Verdict::NewToken),
        (401, "Authorization_IdentityNotFound", "x", Verdict::NewToken),
        (403, "Authentication_Unauthorized", "x", Verdict::NewToken),
        (403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.", refuse(Forbidden)),
        (403, "Authorization_IdentityNotFound", "The identity of the calling application", refuse(Forbidden)),
        (403, "Directory_QuotaExceeded", "The directory object quota limit", refuse(Quota)),
        (403, "accessDenied", "x", refuse(Forbidden)),
        (404, "Request_ResourceNotFound", "Resource 'x' does not exist", Verdict::NotFound),
        (404, "ErrorNonExistentMailbox", "no mailbox", Verdict::NotFound),
        (405, bad, "Specified HTTP method is not allowed for the request target.", refuse(Other)),
        (409, "Request_MultipleObjectsWithSameKeyValue", "A conflicting object", refuse(Conflict)),
        (409, "Directory_ConcurrencyViolation", "Error due to concurrent requests", Verdict::Concurrent),
        (412, "PreconditionFailed", "x", refuse(Other)),
        (424, "FailedDependency", "x", Verdict::Throttled),
        (429, "TooManyRequests", "x", Verdict::Throttled),
        (429, "activityLimitReached", "x", Verdict::Throttled),
        (429, "UnknownError", "", Verdict::Throttled),
        (503, "Request_ThrottledTemporarily", "Your request is throttled temporarily.", Verdict::Throttled),
        (503, "serviceNotAvailable", "x", Verdict::Unavailable),
        (500, "InternalServerError", "x", Verdict::Unavailable),
        (502, "Service_InternalServerError", "x", Verdict::Unavailable),
        (504, "GatewayTimeout", "x", Verdict::Unavailable),
        (500, "Directory_ReplicaUnavailable", "x", Verdict::Unavailable),
        (501, "NotImplemented", "This operation target is not yet supported.", refuse(Other)),
    ] {
        check(status, code, message, expected);
        // Words are searched without regard to case.
        check(status, code, &message.to_uppercase(), expected);
    }
}

#[test]
fn without_a_body_the_status_alone_decides() {
    for (status, expected) in [
        (400, refuse(RefusalKind::Other)),
        (401, Verdict::NewToken),
        (403, refuse(RefusalKind::Forbidden)),
        (404, Verdict::NotFound),
        (429, Verdict::Throttled),
        (500, Verdict::Unavailable),
        (503, Verdict::Unavailable),
        (504, Verdict::Unavailable),
    ] {
        for body in [b"".as_slice(), b"<html>gateway</html>", b"{\"error\":\"text\"}", b"[1,2]"] {
            assert_eq!(judge(status, &GraphError::parse(body)), expected, "{status}");
        }
    }
    let throttled = br#"{"error":{"code":"Request_ThrottledTemporarily"}}"#;
    assert_eq!(judge(503, &GraphError::parse(throttled)), Verdict::Throttled);
}

#[test]
fn a_conflict_names_the_property_and_the_other_object() {
    let conflict = |target: &str| {
        let body = format!(
            r#"{{"error":{{"code":"Request_BadRequest","message":"Another object with the same value for property onPremisesImmutableId already exists.",
            "details":[{{"code":"ObjectConflict","message":null,"target":"onPremisesImmutableId"}},
            {{"code":"ConflictingObjects","message":"m","target":"{target}"}}],"innererror":{{"request-id":"r"}}}}}}"#
        );
        let error = GraphError::parse(body.as_bytes());
        assert_eq!(judge(400, &error), refuse(RefusalKind::Conflict));
        assert_eq!(error.property.as_deref(), Some("onPremisesImmutableId"));
        assert_eq!(error.request_id, "r");
        error.conflict.map(|id| id.to_string())
    };
    let id = "605d1257-ffff-40b6-8e6f-528a53f5dc55";
    assert_eq!(conflict(&format!("User_{id}")).as_deref(), Some(id));
    assert_eq!(conflict(&format!("Group_{}", id.to_uppercase())).as_deref(), Some(id));
    assert_eq!(conflict(id).as_deref(), Some(id));
    assert_eq!(conflict("somebody@contoso.com"), None);
}

#[test]
fn older_conflicts_name_only_the_code() {
    let body = br#"{"error":{"code":"Request_BadRequest","message":"","details":[{"code":"ObjectConflict","target":"userPrincipalName"}]}}"#;
    let error = GraphError::parse(body);
    assert_eq!(judge(400, &error), refuse(RefusalKind::Conflict));
    assert_eq!((error.property.as_deref(), error.conflict), (Some("userPrincipalName"), None));
}

#[test]
fn an_immutable_id_that_is_refused_as_invalid_is_a_federated_refusal() {
    let body = br#"{"error":{"code":"Request_BadRequest","message":"Property onPremisesImmutableId is invalid.","details":[{"code":"InvalidValue","target":"onPremisesImmutableId"}]}}"#;
    assert_eq!(judge(400, &GraphError::parse(body)), refuse(RefusalKind::Federated));
}

#[test]
fn the_property_is_found_in_the_text_too() {
    let named = |message: &str| {
        let body = format!(r#"{{"error":{{"code":"Request_BadRequest","message":"{message}"}}}}"#);
        GraphError::parse(body.as_bytes()).property
    };
    assert_eq!(named("Property userPrincipalName is invalid.").as_deref(), Some("userPrincipalName"));
    assert_eq!(named("A value is required for property 'mail' of resource 'User'.").as_deref(), Some("mail"));
    assert_eq!(named("Insufficient privileges."), None);
}

#[test]
fn messages_lose_what_may_be_personal_and_keep_their_sense() {
    for (message, kept) in [
        ("Resource 'ada@contoso.com' does not exist", "Resource … does not exist"),
        (
            "Invalid value specified for property 'usageLocation' of resource 'User'.",
            "Invalid value specified for property usageLocation of resource User.",
        ),
        ("The name \\\"Ada Lovelace\\\" is taken", "The name … is taken"),
        ("The name 'O'Brien' is taken, isn't it", "The name … is taken, isn't it"),
        ("Value 'never closed by anything Ada", "Value …"),
        ("User ada@contoso.com is blocked", "User … is blocked"),
        ("Nothing to hide.", "Nothing to hide."),
    ] {
        let body = format!(r#"{{"error":{{"code":"c","message":"{message}"}}}}"#);
        assert_eq!(GraphError::parse(body.as_bytes()).message, kept);
    }
    assert_eq!(without_values(&"ä".repeat(1000)).chars().count(), LONGEST_MESSAGE);
}
