//! OpenLDAP's server.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::server::{Running, certificates, free_port, run, wait_for};

pub(crate) const BASE: &str = "ou=People,dc=example,dc=org";
pub(crate) const READER: &str = "cn=reader,dc=example,dc=org";
pub(crate) const PASSWORD: &str = "Reader.Passw0rd";
const ADMIN: &str = "cn=admin,dc=example,dc=org";

/// A running server, and its folder.
pub(crate) struct Slapd {
    pub(crate) folder: TempDir,
    /// `ldaps` and `ldap` ports.
    pub(crate) tls: u16,
    pub(crate) plain: u16,
    process: Running,
}

impl Slapd {
    /// With more lines for the database: limits, access.
    pub(crate) fn start(lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        certificates(folder.path(), "127.0.0.1");
        std::fs::create_dir(folder.path().join("db")).unwrap();
        let config = format!(
            "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\n\
             include /etc/ldap/schema/inetorgperson.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n\
             moduleload memberof\n{modules}TLSCertificateFile {cert}\nTLSCertificateKeyFile {key}\nTLSCACertificateFile {ca}\n\
             sizelimit 500\ndatabase mdb\nmaxsize 268435456\nenvflags nosync\nsuffix \"dc=example,dc=org\"\n\
             rootdn \"{ADMIN}\"\nrootpw secret\ndirectory {db}\nindex objectClass,entryUUID,uid,mail,member eq\n\
             {lines}\noverlay memberof\n",
            cert = at("cert.pem"),
            modules = if lines.contains("syncprov") { "moduleload syncprov\n" } else { "" },
            key = at("key.pem"),
            ca = at("ca.pem"),
            db = at("db"),
        );
        std::fs::write(folder.path().join("slapd.conf"), config).unwrap();
        let init = format!(
            "dn: dc=example,dc=org\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n\
             dn: {BASE}\nobjectClass: organizationalUnit\nou: People\n\n\
             dn: ou=Groups,dc=example,dc=org\nobjectClass: organizationalUnit\nou: Groups\n\n\
             dn: {READER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\n\
             userPassword: {PASSWORD}\n"
        );
        std::fs::write(folder.path().join("init.ldif"), init).unwrap();
        run("slapadd", &["-q", "-w", "-f", &at("slapd.conf"), "-l", &at("init.ldif")], "");
        let (tls, plain) = (free_port(), free_port());
        let process = Running(begin(&folder, plain, tls));
        Self { folder, tls, plain, process }
    }

    /// Ends the server and begins it again, over what it keeps.
    pub(crate) fn restart(&mut self) {
        // In order, so that it keeps up to which change it is; what it keeps in memory alone is lost.
        run("kill", &[&self.process.0.id().to_string()], "");
        self.process.0.wait().unwrap();
        self.process = Running(begin(&self.folder, self.plain, self.tls));
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Changes entries, as LDIF.
    #[track_caller]
    pub(crate) fn change(&self, ldif: &str) {
        let url = format!("ldap://127.0.0.1:{}", self.plain);
        run("ldapmodify", &["-x", "-H", &url, "-D", ADMIN, "-w", "secret"], ldif);
    }
}

fn begin(folder: &TempDir, plain: u16, tls: u16) -> Child {
    let log = folder.path().join("log");
    let listen = format!("ldap://127.0.0.1:{plain} ldaps://127.0.0.1:{tls}");
    let mut process = Command::new("slapd")
        .args(["-d", "0", "-f"])
        .arg(folder.path().join("slapd.conf"))
        .args(["-h", &listen])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    wait_for(&format!("127.0.0.1:{tls}"), &mut process, &log);
    process
}

/// A person to be added.
pub(crate) fn person(number: u32, title: &str) -> String {
    let mut ldif = String::new();
    write!(
        ldif,
        "dn: uid=p{number},{BASE}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: p{number}\ncn: Person {number}\n\
         sn: Person\ndisplayName: Person {number}\nmail: p{number}@contoso.com\ntitle: {title}\n\n"
    )
    .unwrap();
    ldif
}
