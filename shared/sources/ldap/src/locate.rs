//! Which servers `[source] location` means: a server by its name, or the controllers that the name servers give for a domain
//! (RFC 2782). A controller that is not below the domain is refused: an answer of a name server would otherwise say to whom
//! the password goes.

use std::net::{IpAddr, SocketAddr};

use hardmatch_ports::SourceError;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;

use crate::settings::LdapSettings;

/// One server that a name server gave.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Service {
    priority: u16,
    weight: u16,
    port: u16,
    host: String,
}

/// The services that are looked for, in this order, and how each of them is spoken to. Active Directory registers the second
/// one alone. <https://learn.microsoft.com/openspecs/windows_protocols/ms-adts/c1987d42-1847-4cc9-acf7-aab2136d6952>
const SERVICES: [(&str, &str); 3] =
    [("_ldaps._tcp.", "ldaps"), ("_ldap._tcp.dc._msdcs.", "ldap"), ("_ldap._tcp.", "ldap")];

/// The servers of a configuration, in the order in which they are tried. `known` is the server of the last reading: of a
/// domain's controllers it is tried first, because changes can be followed there alone.
pub(crate) async fn servers(settings: &LdapSettings, known: Option<&str>) -> Result<Vec<String>, SourceError> {
    let mut all = Vec::new();
    for one in &settings.servers {
        if one.contains("://") {
            all.push(one.clone());
            continue;
        }
        let mut found = of_domain(one, settings).await?;
        if let Some(at) = found.iter().position(|server| Some(server.as_str()) == known) {
            found[..=at].rotate_right(1);
        }
        all.extend(found);
    }
    Ok(all)
}

async fn of_domain(domain: &str, settings: &LdapSettings) -> Result<Vec<String>, SourceError> {
    let resolver = resolver(settings)?;
    for (service, scheme) in SERVICES {
        let name = format!("{service}{domain}.");
        let answer = tokio::time::timeout(settings.limits.connect, resolver.srv_lookup(name.as_str())).await;
        let records = match answer {
            Ok(Ok(found)) => found,
            Ok(Err(error)) if error.is_no_records_found() => continue,
            Ok(Err(error)) => return Err(unanswered(&name, &short(&error))),
            Err(_) => return Err(unanswered(&name, "no answer in time")),
        };
        let services: Vec<Service> = records
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::SRV(srv) => Some(Service {
                    priority: srv.priority,
                    weight: srv.weight,
                    port: srv.port,
                    host: srv.target.to_utf8().trim_end_matches('.').to_lowercase(),
                }),
                _ => None,
            })
            // A single dot says that the service is not there.
            .filter(|service| !service.host.is_empty())
            .collect();
        if services.is_empty() {
            continue;
        }
        if let Some(stranger) = services.iter().find(|service| !is_of(&service.host, domain)) {
            return Err(SourceError {
                problem: format!("The name servers give {} as a server of {domain}, and it is not below that domain", stranger.host),
                cure: "Name the servers themselves as [source] location, ldaps://HOST:636, after making sure that they are yours: the password is not sent to whom a name server names".to_owned(),
                retry: false,
            });
        }
        let order = in_order(services, |most| rand::random_range(0..=most));
        return Ok(order.into_iter().map(|one| format!("{scheme}://{}:{}", one.host, one.port)).collect());
    }
    Err(SourceError {
        problem: format!("The name servers know no directory of the domain {domain} (_ldap._tcp.dc._msdcs.{domain})"),
        cure: "Write one server as ldaps://HOST:636; for a domain, check its name, and that this machine uses the domain's name servers or that [source] nameserver names one of them".to_owned(),
        retry: false,
    })
}

/// The addresses of a host.
pub(crate) async fn addresses(host: &str, port: u16, settings: &LdapSettings) -> Result<Vec<SocketAddr>, SourceError> {
    let host = host.trim_matches(['[', ']']);
    let limit = settings.limits.connect;
    let found: Vec<SocketAddr> = match settings.nameserver {
        Some(_) if host.parse::<IpAddr>().is_err() => {
            let resolver = resolver(settings)?;
            let looked_up = tokio::time::timeout(limit, resolver.lookup_ip(format!("{host}.").as_str())).await;
            let found = looked_up.ok().and_then(Result::ok);
            found.iter().flat_map(|found| found.iter()).map(|address| SocketAddr::new(address, port)).collect()
        }
        _ => {
            let looked_up = tokio::time::timeout(limit, tokio::net::lookup_host((host, port))).await;
            looked_up.ok().and_then(Result::ok).into_iter().flatten().collect()
        }
    };
    if found.is_empty() {
        return Err(SourceError {
            problem: format!("The host {host} {UNKNOWN} here"),
            cure: "Check its name in [source] location, and that this machine uses the directory's name servers, or that [source] nameserver names one of them"
                .to_owned(),
            retry: false,
        });
    }
    Ok(found)
}

/// The marker of a name that cannot be resolved.
const UNKNOWN: &str = "is not known";

/// Whether a host could not be found: the next server is tried.
pub(crate) fn is_unknown(error: &SourceError) -> bool {
    error.problem.contains(UNKNOWN)
}

fn resolver(settings: &LdapSettings) -> Result<TokioResolver, SourceError> {
    let builder = match settings.nameserver {
        Some(address) => {
            let port = |mut connection: ConnectionConfig| {
                connection.port = address.port();
                connection
            };
            let connections = vec![port(ConnectionConfig::udp()), port(ConnectionConfig::tcp())];
            let server = NameServerConfig::new(address.ip(), true, connections);
            let config = ResolverConfig::from_name_servers(vec![server]);
            Ok(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()))
        }
        None => TokioResolver::builder_tokio(),
    };
    builder.and_then(hickory_resolver::ResolverBuilder::build).map_err(|error| SourceError {
        problem: format!("The name servers of this machine cannot be used ({})", short(&error)),
        cure: "Look at /etc/resolv.conf, or name one as [source] nameserver".to_owned(),
        retry: false,
    })
}

fn unanswered(name: &str, why: &str) -> SourceError {
    SourceError {
        problem: format!("The name servers do not answer what {name} is ({why})"),
        cure: "Check that they are reachable, or name another one as [source] nameserver".to_owned(),
        retry: true,
    }
}

/// One line of an error.
fn short(error: &NetError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Whether a host is below a domain, or is it.
fn is_of(host: &str, domain: &str) -> bool {
    let domain = domain.trim_end_matches('.').to_lowercase();
    host.strip_suffix(&domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The order in which servers are tried: by priority, and within one at random by weight. `pick` gives a number from 0 to
/// what it is given. <https://www.rfc-editor.org/rfc/rfc2782>
fn in_order(mut services: Vec<Service>, mut pick: impl FnMut(u32) -> u32) -> Vec<Service> {
    // Those of weight 0 stand first, so that they are picked at times.
    services
        .sort_by(|one, other| (one.priority, one.weight, &one.host).cmp(&(other.priority, other.weight, &other.host)));
    let mut order = Vec::with_capacity(services.len());
    while let Some(priority) = services.first().map(|first| first.priority) {
        let same = services.iter().take_while(|service| service.priority == priority);
        let total = same.map(|service| u32::from(service.weight)).sum();
        let picked = pick(total);
        let mut sum = 0;
        let at = services.iter().position(|service| {
            sum += u32::from(service.weight);
            sum >= picked
        });
        order.push(services.remove(at.unwrap_or_default()));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(priority: u16, weight: u16, host: &str) -> Service {
        Service { priority, weight, port: 389, host: host.to_owned() }
    }

    fn names(order: &[Service]) -> Vec<&str> {
        order.iter().map(|one| one.host.as_str()).collect()
    }

    #[test]
    fn the_lowest_priority_comes_first_and_weight_decides_within_one() {
        let all = || vec![service(10, 100, "c"), service(0, 1, "a"), service(0, 9, "b"), service(0, 0, "z")];
        // Sums of the lowest priority: z 0, a 1, b 10.
        assert_eq!(names(&in_order(all(), |_| 0)), ["z", "a", "b", "c"]);
        assert_eq!(names(&in_order(all(), |most| most)), ["b", "a", "z", "c"]);
        assert_eq!(names(&in_order(all(), |most| most.min(1))), ["a", "b", "z", "c"]);
        // A draw is never larger than the sum of what is left.
        let mut draws = Vec::new();
        in_order(all(), |most| {
            draws.push(most);
            0
        });
        assert_eq!(draws, [10, 10, 9, 100]);
    }

    #[test]
    fn a_server_of_a_domain_is_below_it() {
        assert!(is_of("dc1.corp.example.test", "Corp.Example.test."));
        assert!(is_of("corp.example.test", "corp.example.test"));
        assert!(!is_of("dc1.evilcorp.example.test", "corp.example.test"));
        assert!(!is_of("dc1.example.org", "corp.example.test"));
    }
}
