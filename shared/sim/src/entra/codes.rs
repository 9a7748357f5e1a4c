//! The errors of the sign-in service: number, class, status, words
//! (<https://learn.microsoft.com/entra/identity-platform/reference-error-codes>). The classes follow what the token
//! endpoint was observed to send; the documentation asks clients to react to the class, not to the number.

/// A refused request of the sign-in service.
#[derive(Clone, Debug)]
pub(crate) struct Denied {
    pub(crate) status: u16,
    pub(crate) error: &'static str,
    pub(crate) code: u32,
    pub(crate) text: String,
}

pub(crate) type Granted<T> = Result<T, Denied>;

/// A refusal in words of its own.
pub(crate) fn denied(code: u32, text: impl Into<String>) -> Denied {
    let (_, error, status, _) = find(code).unwrap_or(&UNLISTED);
    Denied { status: *status, error, code, text: text.into() }
}

/// A refusal in the catalogue's words.
pub(crate) fn plainly(code: u32) -> Denied {
    let (_, _, _, text) = find(code).unwrap_or(&UNLISTED);
    denied(code, *text)
}

/// A parameter that the request lacks.
pub(crate) fn lacks(parameter: &str) -> Denied {
    denied(900144, format!("The request body must contain the following parameter: '{parameter}'."))
}

/// Whether this number is in the catalogue.
pub(crate) fn known(code: u32) -> bool {
    find(code).is_some()
}

fn find(code: u32) -> Option<&'static Entry> {
    CATALOGUE.iter().find(|(number, ..)| *number == code)
}

impl Denied {
    /// `AADSTS7000215: Invalid client secret …`, without the trailing ids.
    pub(crate) fn line(&self) -> String {
        format!("AADSTS{}: {}", self.code, self.text)
    }
}

/// Number, `error`, HTTP status, words.
type Entry = (u32, &'static str, u16, &'static str);

static UNLISTED: Entry = (0, "invalid_request", 400, "The request is refused.");

static CATALOGUE: &[Entry] = &[
    // The request itself.
    (900144, "invalid_request", 400, "The request body must contain a parameter that is missing."),
    (9000411, "invalid_request", 400, "The request is not properly formatted: a parameter is duplicated."),
    (70003, "unsupported_grant_type", 400, "The app requested an unsupported grant type."),
    // The tenant.
    (90002, "invalid_request", 400, "Tenant not found. Check the tenant ID and the cloud."),
    (90038, "invalid_request", 400, "The tenant belongs to another national cloud. Use that cloud's endpoint."),
    (50059, "invalid_request", 400, "No tenant-identifying information found in the request or the credentials."),
    (90019, "invalid_request", 400, "No tenant-identifying information found in the request."),
    (50128, "invalid_request", 400, "Invalid domain name: no tenant-identifying information found."),
    (
        9001023,
        "invalid_request",
        400,
        "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint.",
    ),
    (90124, "invalid_request", 400, "The resource is not supported over the /common or /consumers endpoints."),
    (90130, "invalid_request", 400, "The application is not supported over the /common or /consumers endpoints."),
    (
        50194,
        "invalid_request",
        400,
        "The application is not configured as multi-tenant. Use a tenant-specific endpoint.",
    ),
    (900382, "invalid_client", 401, "Confidential client is not supported in a cross-cloud request."),
    (900432, "invalid_client", 401, "Confidential client is not supported in a cross-cloud request."),
    // The application.
    (700016, "unauthorized_client", 400, "The application was not found in the directory."),
    (700011, "unauthorized_client", 400, "The application was not found in the directory."),
    (7000112, "unauthorized_client", 400, "The application is disabled."),
    (70001, "unauthorized_client", 400, "The application is disabled."),
    (650056, "invalid_client", 400, "Misconfigured application."),
    (65005, "invalid_resource", 400, "The application needs access to a service it has not listed."),
    (650057, "invalid_resource", 400, "The resource is not listed in the application's requested permissions."),
    (650052, "unauthorized_client", 400, "The organization has not subscribed to the service the app needs."),
    (
        50011,
        "invalid_request",
        400,
        "The redirect URI specified in the request does not match the redirect URIs configured for the application.",
    ),
    (
        500112,
        "invalid_client",
        400,
        "The reply address does not match the one provided when requesting the authorization code.",
    ),
    // How it proves itself.
    (7000215, "invalid_client", 401, "Invalid client secret provided."),
    (7000222, "invalid_client", 401, "The provided client secret keys are expired."),
    (
        7000218,
        "invalid_client",
        401,
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    ),
    (
        700025,
        "invalid_client",
        401,
        "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
    ),
    (700027, "invalid_client", 401, "Client assertion failed signature validation."),
    (700024, "invalid_client", 401, "Client assertion is not within its valid time range."),
    (700030, "invalid_client", 401, "Invalid certificate: subject name in certificate is not authorized."),
    (50012, "invalid_client", 401, "The certificate is not authorized."),
    (50013, "invalid_client", 401, "Assertion failed signature validation."),
    (50027, "invalid_client", 401, "Invalid JWT token."),
    (50048, "invalid_client", 401, "Subject must match the issuer claim in the client assertion."),
    (70021, "invalid_client", 401, "No matching federated identity record found for presented assertion."),
    (700211, "invalid_client", 401, "No matching federated identity record found for presented assertion issuer."),
    (700212, "invalid_client", 401, "No matching federated identity record found for presented assertion audience."),
    (700213, "invalid_client", 401, "No matching federated identity record found for presented assertion subject."),
    (700229, "invalid_client", 401, "Only app tokens can be used as federated identity credentials for this issuer."),
    // Scope and resource.
    (70011, "invalid_scope", 400, "The provided value for the input parameter 'scope' is not valid."),
    (700022, "invalid_scope", 400, "The scope is not valid because it contains more than one resource."),
    (700023, "invalid_scope", 400, "The scope is not valid because it contains no resource."),
    (
        1002012,
        "invalid_scope",
        400,
        "Client credential flows must have a scope value with /.default suffixed to the resource identifier.",
    ),
    (500011, "invalid_resource", 400, "The resource principal was not found in the tenant."),
    // Consent.
    (65001, "consent_required", 400, "The user or administrator has not consented to use the application."),
    (
        65004,
        "access_denied",
        400,
        "The resource owner or authorization server denied the request: consent was declined.",
    ),
    (90093, "access_denied", 400, "Graph returned with a forbidden error code for the request."),
    (90094, "access_denied", 400, "An administrator of the organization has set a policy that requires admin consent."),
    (90095, "access_denied", 400, "Admin consent is requested: the approval workflow is on."),
    // People.
    (50034, "invalid_grant", 400, "The user account does not exist in the directory."),
    (51004, "invalid_grant", 400, "The user account does not exist in the directory."),
    (90072, "invalid_grant", 400, "The user account does not exist in the tenant and cannot access the application."),
    (90020, "invalid_grant", 400, "The SAML 1.1 assertion is missing the ImmutableID of the user."),
    (50107, "invalid_grant", 400, "The requested federation realm object does not exist."),
    (50057, "invalid_grant", 400, "The user account is disabled."),
    (50058, "login_required", 400, "A silent sign-in request was sent but no user is signed in."),
    // Grants.
    (
        54005,
        "invalid_grant",
        400,
        "The authorization code was already redeemed. Retry with a new valid code or use an existing refresh token.",
    ),
    (
        501481,
        "invalid_grant",
        400,
        "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
    ),
    (50147, "invalid_request", 400, "The size of the code challenge parameter is not valid."),
    (70008, "invalid_grant", 400, "The provided authorization code or refresh token has expired due to inactivity."),
    (70000, "invalid_grant", 400, "The provided grant is invalid or malformed."),
    (
        50173,
        "invalid_grant",
        400,
        "The provided grant has expired due to it being revoked; a fresh auth token is needed.",
    ),
    (700082, "invalid_grant", 400, "The refresh token has expired due to inactivity."),
    (
        700084,
        "invalid_grant",
        400,
        "The refresh token was issued to a single page app and has a fixed, limited lifetime.",
    ),
    (50089, "invalid_grant", 400, "The flow token expired."),
    (
        70043,
        "invalid_grant",
        400,
        "The refresh token has expired or is invalid due to sign-in frequency checks by Conditional Access.",
    ),
    (50132, "invalid_grant", 400, "The session is not valid."),
    (50133, "invalid_grant", 400, "The session is not valid due to expiration or a recent password change."),
    // Conditional Access.
    (
        53003,
        "interaction_required",
        400,
        "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
    ),
    (53000, "interaction_required", 400, "The device is not in the required state: it must be compliant."),
    (530032, "interaction_required", 400, "Blocked by a security policy of the tenant."),
    (530034, "interaction_required", 400, "The application is blocked by a policy of the tenant."),
    (50074, "interaction_required", 400, "Strong authentication is required."),
    (50076, "interaction_required", 400, "Multifactor authentication is required to access the resource."),
    (50079, "interaction_required", 400, "Enrolment in multifactor authentication is required."),
    // The service.
    (50196, "invalid_request", 400, "The server terminated an operation because it encountered a client request loop."),
    (90055, "temporarily_unavailable", 429, "There are too many incoming requests."),
    (90024, "temporarily_unavailable", 503, "A transient error has occurred: the request budget is exceeded."),
    (90006, "temporarily_unavailable", 503, "The service is temporarily unavailable."),
    (90033, "temporarily_unavailable", 503, "A transient error has occurred. Please try again."),
    (90090, "temporarily_unavailable", 503, "Graph user lookup failed for a transient reason."),
    (50033, "temporarily_unavailable", 503, "A transient error has occurred during sign-in."),
    (90012, "temporarily_unavailable", 503, "The request has timed out."),
];
