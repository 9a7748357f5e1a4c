//! The numbers. A number that operators of several products meet means here what it means to one of hardmatch.

use super::{SignInError, SignInErrorKind};
use SignInErrorKind::{
    Account, AppDisabled, BadAssertion, Bug, CertificateNotRegistered, Clock, ConditionalAccess, DeclinedConsent,
    ExpiredSecret, InteractionRequired, LoopDetected, MissingConsent, NeedsAdministrator, NoCredential,
    NoFederatedRecord, PublicClient, RedirectMismatch, Registration, RevokedRefreshToken, StaleSignIn, Transient,
    UnknownClient, WrongCloud, WrongResource, WrongSecret, WrongTenant,
};

pub(super) const CONNECT: &str = "Run `hardmatch auth connect` and sign in again.";
pub(super) const CONSENT: &str = "Run `hardmatch auth connect` and let an administrator give admin consent; after a \
                                  fresh consent wait a few minutes.";
pub(super) const ASK_ADMINISTRATOR: &str =
    "Let an administrator of the tenant accept; `hardmatch auth connect` asks once more.";
pub(super) const POLICY: &str = "In the Microsoft Entra admin center, Conditional Access, an administrator looks at the \
                                 sign-in log for the policy that applied and exempts the application or the account, or meets its conditions; then run \
                                 `hardmatch doctor`.";
pub(super) const WAIT: &str = "Nothing to do: it is tried again.";
pub(super) const REPORT: &str =
    "Please report this with the code and the request id: hardmatch should not have sent it.";

const TENANT: &str = "Check tenant.id and tenant.cloud: the directory id, or a verified domain of the tenant.";
const CLOUD: &str = "Set tenant.cloud to the cloud the tenant lives in, and register the application there.";
const CLIENT: &str = "Check the client id in tenant.auth and the tenant, then run `hardmatch auth connect`, where an \
                      administrator gives admin consent; after a fresh consent wait a few minutes.";
const CERTIFICATE: &str = "Upload the certificate under App registrations, Certificates & secrets, or set tenant.auth to the certificate that \
                           is registered; `hardmatch doctor` shows its thumbprint.";
const FEDERATED: &str = "Compare issuer, subject and audience under App registrations, Certificates & secrets, Federated credentials with what \
                         `hardmatch doctor` shows, letter by letter, case included; after a change wait a few minutes.";
const RESTART: &str = "Run `hardmatch auth connect` once more, in one window and to its end.";
const REGISTRATION: &str = "Add the Microsoft Graph permissions under App registrations, API permissions, and run \
                            `hardmatch auth connect` to consent to them.";
const ADMINISTRATOR: &str =
    "Let an administrator open the page of `hardmatch auth connect`: one who may consent for the whole tenant.";
const OTHER_ACCOUNT: &str = "Sign in with an enabled administrator's account of this tenant.";
const MATCH: &str = "Run `hardmatch explain` for the person and repair the match, then sign in again.";
const ANSWER: &str = "Run `hardmatch auth connect` and sign in again, answering what the platform asks.";
const REDIRECT: &str = "Register the address that `hardmatch auth connect` names under App registrations, Authentication, \
                        Redirect URIs, platform Web, letter by letter.";
const GRAPH_URL: &str = "Check tenant.cloud and its Graph URL: a token of one cloud is useless in another.";

const fn e(number: u32, kind: SignInErrorKind, means: &'static str, cure: &'static str) -> SignInError {
    SignInError { number, kind, means, cure }
}

/// Every number we explain.
#[rustfmt::skip]
pub const TABLE: &[SignInError] = &[
    // The tenant and its cloud.
    e(90002, WrongTenant, "The tenant was not found in this cloud.", TENANT),
    e(50059, WrongTenant, "The request named no tenant.", TENANT),
    e(90019, WrongTenant, "No tenant could be read from the request.", TENANT),
    e(50128, WrongTenant, "The domain name belongs to no tenant.", TENANT),
    e(9001023, WrongTenant, "An application gets no token for an alias such as `common`.", TENANT),
    e(90124, WrongTenant, "The resource is not open to the alias that was named as tenant.", TENANT),
    e(90130, WrongTenant, "The application is not open to the alias that was named as tenant.", TENANT),
    e(50194, WrongTenant, "The application serves one tenant and was asked for through an alias.", TENANT),
    e(90038, WrongCloud, "The tenant lives in another national cloud.", CLOUD),
    e(900382, WrongCloud, "The application's proof cannot be used across clouds.", CLOUD),
    e(900432, WrongCloud, "The application cannot be used across clouds.", CLOUD),
    // The application.
    e(700016, UnknownClient, "The application is not installed in this tenant.", CLIENT),
    e(700011, UnknownClient, "No application with this id is in the organization's directory.", CLIENT),
    e(7000229, UnknownClient, "The application has no service principal in this tenant yet.", CLIENT),
    e(7000112, AppDisabled, "The application is disabled in this tenant.",
        "An administrator allows it again under Enterprise applications, Properties, Enabled for users to sign in."),
    e(70001, AppDisabled, "The application is disabled or not supported for this tenant.",
        "An administrator looks at Enterprise applications, Properties: is it there, and enabled?"),
    e(650056, Registration, "The application's registration names no permission, or none that fits.", REGISTRATION),
    e(65005, Registration, "The application asks for a resource that its registration does not list.", REGISTRATION),
    e(650057, Registration, "The resource asked for is not among the registration's permissions.", REGISTRATION),
    e(50105, Registration, "The application is open to assigned accounts only, and this one is not assigned.",
        "Assign the administrator under Enterprise applications, Users and groups, then run `hardmatch auth connect`."),
    e(50011, RedirectMismatch, "The address to come back to is not registered with the application.", REDIRECT),
    e(500113, RedirectMismatch, "The application has no address to come back to.", REDIRECT),
    // Its proof.
    e(7000215, WrongSecret, "The client secret is wrong.",
        "Put the secret's value, not its id, where tenant.auth looks for it: App registrations, Certificates & secrets shows \
         the value once, when it is made."),
    e(7000222, ExpiredSecret, "The client secret has expired.",
        "Create a new secret under App registrations, Certificates & secrets and put its value where tenant.auth looks for it."),
    e(7000218, NoCredential, "The request carried neither a secret nor an assertion.",
        "Set tenant.auth.method and its credential; for a public client switch on `Allow public client flows` in the registration."),
    e(700025, PublicClient, "The application is registered as a public client, which must not send a proof.",
        "Register the address to come back to under the platform Web, or take the credential out of tenant.auth."),
    e(700027, CertificateNotRegistered, "The certificate that signed is not registered with the application.", CERTIFICATE),
    e(50012, CertificateNotRegistered, "The thumbprint or the signing certificate is not acceptable.", CERTIFICATE),
    e(50013, BadAssertion, "The assertion is not valid: its signature, its times or who issued it.",
        "Check that tenant.auth names the right key and certificate, and the clock; `hardmatch doctor` compares both."),
    e(50027, BadAssertion, "The assertion is no well-formed token.",
        "Check what tenant.auth presents as federated token or certificate; if it is what you expect, please report this."),
    e(700030, BadAssertion, "The subject of the certificate is not one that may sign for the application.",
        "Register a certificate with an authorized subject name under App registrations, Certificates & secrets."),
    e(50048, BadAssertion, "Subject and issuer of the assertion differ.",
        "Check that client_id in tenant.auth is the application the certificate belongs to."),
    e(700024, Clock, "The assertion is outside its validity window.",
        "Set the clock of the machine that signs; `hardmatch doctor` shows how far it is off."),
    e(70021, NoFederatedRecord, "No federated credential of the application fits the presented token.", FEDERATED),
    e(700213, NoFederatedRecord, "No federated credential names the presented subject.", FEDERATED),
    e(700211, NoFederatedRecord, "No federated credential names the presented issuer.", FEDERATED),
    e(700212, NoFederatedRecord, "No federated credential names the presented audience.", FEDERATED),
    e(700229, BadAssertion, "A token of the wrong kind was presented as federated credential.",
        "Present a token of the external identity provider, such as the one AWS STS makes, not one that Entra issued."),
    // What was asked for.
    e(700022, Bug, "The scope names several resources.", REPORT),
    e(700023, Bug, "The scope names no resource.", REPORT),
    e(70011, Bug, "The scope is not valid.", "Leave the scope at its default and check tenant.cloud; if that is right, please report this."),
    e(70003, Bug, "This way of asking for a token is not supported.", REPORT),
    e(900144, Bug, "The request lacks a parameter.", REPORT),
    e(500011, WrongResource, "Microsoft Graph is not known in this tenant by the name that was asked for.", GRAPH_URL),
    e(650052, WrongResource, "The tenant has not subscribed to the service that was asked for.",
        "Check tenant.cloud, and in the Microsoft 365 admin center that the tenant has a subscription."),
    // Consent.
    e(65001, MissingConsent, "Consent to the application's permissions is missing.", CONSENT),
    e(65004, DeclinedConsent, "The consent was declined.", ASK_ADMINISTRATOR),
    e(90094, NeedsAdministrator, "Only an administrator may consent to these permissions.", ADMINISTRATOR),
    e(90095, NeedsAdministrator, "The tenant wants consents to be requested and approved.",
        "An administrator approves the request under Enterprise applications, Admin consent requests, or opens the page of \
         `hardmatch auth connect` directly."),
    e(90093, NeedsAdministrator, "The account that tried may not consent for the whole tenant.", ADMINISTRATOR),
    // The administrator's sign-in.
    e(50173, RevokedRefreshToken, "The sign-in was revoked, or the password was changed.", CONNECT),
    e(700082, RevokedRefreshToken, "The sign-in lapsed because it was not used for too long.", CONNECT),
    e(70008, RevokedRefreshToken, "The sign-in, or the code that ends it, has expired.", CONNECT),
    e(700084, RevokedRefreshToken, "The sign-in was of the short kind for pages in a browser and has ended.",
        "Register the address to come back to under the platform Web instead of Single-page application, and run `hardmatch auth connect`."),
    e(70000, RevokedRefreshToken, "The sign-in is not valid for this application.", CONNECT),
    e(50089, RevokedRefreshToken, "The sign-in's token has expired.", CONNECT),
    e(70043, RevokedRefreshToken, "The tenant's policy on sign-in frequency ended the sign-in.",
        "Run `hardmatch auth connect`; to be asked less often, exempt the administrator from the sign-in frequency policy or use another method of tenant.auth."),
    e(50132, RevokedRefreshToken, "The session is not valid any more: the password expired or was changed.", CONNECT),
    e(50133, RevokedRefreshToken, "The session ended because the password expired or was changed lately.", CONNECT),
    e(50076, InteractionRequired, "A second factor is asked for.", ANSWER),
    e(50079, InteractionRequired, "The account has to register a second factor.", ANSWER),
    e(50072, InteractionRequired, "The account has to enroll for a second factor.", ANSWER),
    e(50074, InteractionRequired, "A strong sign-in is asked for.", ANSWER),
    e(50158, InteractionRequired, "A check of another provider was not passed.", ANSWER),
    e(500121, InteractionRequired, "The second factor was not passed.", ANSWER),
    e(50058, InteractionRequired, "Nobody is signed in to this browser.", ANSWER),
    e(16000, InteractionRequired, "Several accounts are signed in and none was chosen, or it is of another tenant.",
        "Run `hardmatch auth connect` and choose the administrator's account of this tenant."),
    e(53000, ConditionalAccess, "The device is not compliant with a Conditional Access policy.", POLICY),
    e(53001, ConditionalAccess, "A Conditional Access policy wants a device joined to the domain.", POLICY),
    e(53002, ConditionalAccess, "A Conditional Access policy allows other applications only.", POLICY),
    e(53003, ConditionalAccess, "A Conditional Access policy blocks this sign-in.", POLICY),
    e(53004, ConditionalAccess, "The account has to register a second factor first, where activity looks suspicious.", POLICY),
    e(530032, ConditionalAccess, "A security policy of the tenant blocks this sign-in.", POLICY),
    e(530034, ConditionalAccess, "A policy on delegated administrators blocks this sign-in.", POLICY),
    e(54005, StaleSignIn, "The code that ends the sign-in was used already.", RESTART),
    e(501481, StaleSignIn, "The proof key does not fit the one the sign-in began with.", RESTART),
    e(50147, Bug, "The proof key of the sign-in has the wrong form.", REPORT),
    e(50034, Account, "The account is not in this directory.", OTHER_ACCOUNT),
    e(50020, Account, "The account is of another tenant or identity provider.", OTHER_ACCOUNT),
    e(50126, Account, "User name or password is wrong.", OTHER_ACCOUNT),
    e(50057, Account, "The account is disabled.", OTHER_ACCOUNT),
    e(51004, Account, "The account is not in this directory; at a federated sign-in the usual reason is an immutable ID that does not fit.", MATCH),
    e(90072, Account, "The account is not in this tenant, or its immutable ID is not the one its federation presents.", MATCH),
    e(90020, Account, "The federated sign-in lacks the immutable ID.", "Add the ImmutableID claim at the identity provider of the domain."),
    e(50107, Account, "The federation the account's domain names was not found.",
        "Check issuerUri of the domain's federation configuration."),
    // The service.
    e(50196, LoopDetected, "The service saw too many equal token requests and blocks for a while.",
        "Wait; make sure that no two installations use this application in a loop."),
    e(90055, Transient, "The login service throttles.", WAIT),
    e(90024, Transient, "The login service exceeded a budget of its own.", WAIT),
    e(90006, Transient, "The login service has a passing trouble.", WAIT),
    e(90033, Transient, "The login service is unavailable for the moment.", WAIT),
    e(90090, Transient, "The login service's gateway failed.", WAIT),
    e(50033, Transient, "The login service asks to try again.", WAIT),
    e(90012, Transient, "The login service timed out.", WAIT),
];
