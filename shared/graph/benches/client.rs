//! A page of 999 users and a batch of 20 creations, whole exchanges over loopback HTTP with prepared answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use async_trait::async_trait;
use divan::Bencher;
use divan::counter::ItemsCount;
use hardmatch_domain::attribute::{Attr, Attributes};
use hardmatch_domain::ids::{ImmutableId, ObjectId};
use hardmatch_graph::{GraphClient, GraphOptions};
use hardmatch_ports::credentials::{Credential, CredentialError, Proof};
use hardmatch_ports::tenant::{Call, Priority};
use hardmatch_ports::{Clock, TenantRead, TenantWrite};
use jiff::Timestamp;
use secrecy::SecretString;
use url::Url;

fn main() {
    divan::main();
}

const USERS: usize = 999;
const CREATES: usize = 20;

#[divan::bench]
fn page_of_users(bencher: Bencher<'_, '_>) {
    let (runtime, client) = prepared();
    bencher.counter(ItemsCount::new(USERS)).bench_local(|| {
        let page = runtime.block_on(client.users(None)).expect("a page");
        assert_eq!(page.items.len(), USERS);
        page
    });
}

#[divan::bench]
fn batch_of_creations(bencher: Bencher<'_, '_>) {
    let (runtime, client) = prepared();
    let calls: Vec<Call> = (0..CREATES).map(creation).collect();
    bencher.counter(ItemsCount::new(CREATES)).bench_local(|| {
        let answers = runtime.block_on(client.perform(&calls, Priority::Low));
        assert_eq!(answers.len(), CREATES);
        answers
    });
}

fn creation(n: usize) -> Call {
    let upn = format!("person{n}@contoso.com");
    let texts: Vec<(Attr, String)> = Attr::ALL
        .iter()
        .take(22)
        .map(|attr| {
            (*attr, if *attr == Attr::UserPrincipalName { upn.clone() } else { format!("value of {attr} {n}") })
        })
        .collect();
    Call::Create {
        attributes: Attributes::from_pairs(texts.iter().map(|(attr, text)| (*attr, text.as_str()))),
        immutable_id: Some(ImmutableId::from("Z0UjAauJ780BI0VniavN7w==")),
        enabled: true,
        manager: Some(ObjectId::from("605d1257-ffff-40b6-8e6f-528a53f5dc55")),
        password: SecretString::from("Xy9!longenough"),
    }
}

fn prepared() -> (tokio::runtime::Runtime, GraphClient) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = Url::parse(&format!("http://{}", listener.local_addr().expect("an address"))).expect("a URL");
    let (page, batch) = (Arc::new(page()), Arc::new(batch()));
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let (page, batch) = (Arc::clone(&page), Arc::clone(&batch));
            std::thread::spawn(move || serve(&socket, &page, &batch));
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let options = GraphOptions::new("contoso.com", "client", url.clone(), url, Arc::new(Fixed), Arc::new(Fixed));
    (runtime, GraphClient::new(options).expect("a client"))
}

fn serve(socket: &TcpStream, page: &str, batch: &str) {
    let token = r#"{"token_type":"Bearer","expires_in":3600,"access_token":"t"}"#;
    let mut reader = BufReader::new(socket);
    loop {
        let (mut first, mut length) = (String::new(), 0);
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line == "\r\n" {
                break;
            }
            if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = text.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let answer = if first.contains("/token") {
            token
        } else if first.contains("$batch") {
            batch
        } else {
            page
        };
        // In one piece: two small writes would wait for each other's acknowledgement.
        let whole = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
        let mut writer = socket;
        if writer.write_all(whole.as_bytes()).is_err() {
            return;
        }
    }
}

fn page() -> String {
    let users: Vec<String> = (0..USERS)
        .map(|n| {
            format!(
                r#"{{"id":"605d1257-ffff-40b6-8e6f-{n:012}","accountEnabled":true,"userPrincipalName":"person{n}@contoso.com","onPremisesImmutableId":"Z0UjAauJ780BI0VniavN7w==","mailNickname":"person{n}","displayName":"Person {n}","givenName":"Person","surname":"Number {n}","jobTitle":"Engineer","department":"Research","companyName":"Contoso","employeeId":"{n}","employeeType":null,"officeLocation":"B{n}","streetAddress":"Long Street 1","city":"London","state":null,"postalCode":"N1","country":"United Kingdom","usageLocation":"GB","businessPhones":["+44 1"],"mobilePhone":null,"faxNumber":null,"preferredLanguage":"en-GB","mail":"person{n}@contoso.com","proxyAddresses":["SMTP:person{n}@contoso.com","smtp:p{n}@contoso.com"],"userType":"Member","onPremisesSyncEnabled":null,"onPremisesLastSyncDateTime":null,"onPremisesExtensionAttributes":{{"extensionAttribute1":null,"extensionAttribute2":null,"extensionAttribute3":null,"extensionAttribute4":null,"extensionAttribute5":null,"extensionAttribute6":null,"extensionAttribute7":null,"extensionAttribute8":null,"extensionAttribute9":null,"extensionAttribute10":null,"extensionAttribute11":null,"extensionAttribute12":null,"extensionAttribute13":null,"extensionAttribute14":null,"extensionAttribute15":null}},"assignedLicenses":[{{"disabledPlans":[],"skuId":"c7df2760-2c81-4ef7-b578-5b5392b571df"}}],"createdDateTime":"2025-01-01T00:00:00Z","externalUserState":null,"manager":{{"@odata.type":"graph.user","id":"605d1257-ffff-40b6-8e6f-000000000000"}}}}"#
            )
        })
        .collect();
    format!(r#"{{"value":[{}]}}"#, users.join(","))
}

fn batch() -> String {
    let parts: Vec<String> = (0..CREATES)
        .rev()
        .map(|n| {
            format!(
                r#"{{"id":"{n}","status":201,"headers":{{"Content-Type":"application/json"}},"body":{{"id":"605d1257-ffff-40b6-8e6f-{n:012}","businessPhones":["+44 1"],"displayName":"Person {n}","givenName":null,"jobTitle":null,"mail":null,"mobilePhone":null,"officeLocation":null,"preferredLanguage":null,"surname":null,"userPrincipalName":"person{n}@contoso.com"}}}}"#
            )
        })
        .collect();
    format!(r#"{{"responses":[{}]}}"#, parts.join(","))
}

/// Always the same time, always the same secret.
struct Fixed;

#[async_trait]
impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    async fn sleep(&self, _: std::time::Duration) {}
}

#[async_trait]
impl Credential for Fixed {
    async fn proof(&self, _: &str, _: &str) -> Result<Proof, CredentialError> {
        Ok(Proof::Secret(SecretString::from("s")))
    }

    fn method(&self) -> &'static str {
        "secret"
    }
}
