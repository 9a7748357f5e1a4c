//! Samba's Active Directory controller. It listens on the ports of LDAP alone, which are compiled in, on an address of its
//! own.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use tempfile::TempDir;

use crate::server::{Running, certificates, run, wait_for};

pub(crate) use crate::fake::{BASE, DOMAIN, PASSWORD, READER};

/// Addresses of 127.0.0.0/8 that servers of this process have.
static ADDRESSES: AtomicU8 = AtomicU8::new(10);

/// A running controller, and its folder.
pub(crate) struct Samba {
    pub(crate) folder: TempDir,
    pub(crate) address: String,
    _process: Running,
}

impl Samba {
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("dc").tempdir().unwrap();
        // The last but one part of the address is of this process: processes of tests run beside each other.
        let own = std::process::id() % 200 + 20;
        let address = format!("127.77.{own}.{}", ADDRESSES.fetch_add(1, Ordering::SeqCst));
        let root = folder.path().to_str().unwrap().to_owned();
        run("chmod", &["755", &root], "");
        std::fs::create_dir(folder.path().join("tls")).unwrap();
        std::fs::create_dir(folder.path().join("log")).unwrap();
        std::fs::create_dir(folder.path().join("run")).unwrap();
        certificates(&folder.path().join("tls"), &address);
        let options = [
            format!("interfaces={address}/8"),
            "bind interfaces only=yes".to_owned(),
            format!("posix:eadb={root}/private/eadb.tdb"),
            "vfs objects=dfs_samba4 acl_xattr xattr_tdb".to_owned(),
        ];
        let mut arguments = vec![
            "domain".to_owned(),
            "provision".to_owned(),
            format!("--targetdir={root}"),
            "--realm=CORP.EXAMPLE.TEST".to_owned(),
            "--domain=CORP".to_owned(),
            "--server-role=dc".to_owned(),
            "--dns-backend=NONE".to_owned(),
            "--adminpass=Passw0rd.Lab.1".to_owned(),
            "--host-name=dc1".to_owned(),
            format!("--host-ip={address}"),
            "--backend-store=mdb".to_owned(),
        ];
        arguments.extend(options.iter().map(|option| format!("--option={option}")));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run("samba-tool", &arguments, "");
        let config = format!(
            "[global]\n  netbios name = DC1\n  realm = CORP.EXAMPLE.TEST\n  workgroup = CORP\n  \
             server role = active directory domain controller\n  server services = ldap\n  interfaces = {address}/8\n  \
             bind interfaces only = yes\n  private dir = {root}/private\n  state directory = {root}/state\n  \
             cache directory = {root}/cache\n  lock directory = {root}\n  pid directory = {root}/run\n  \
             ncalrpc dir = {root}/run/ncalrpc\n  log file = {root}/log/samba\n  tls enabled = yes\n  \
             tls keyfile = {root}/tls/key.pem\n  tls certfile = {root}/tls/cert.pem\n  tls cafile = {root}/tls/ca.pem\n"
        );
        std::fs::write(folder.path().join("etc/smb.conf"), config).unwrap();
        let log = folder.path().join("log/out");
        let mut process = Command::new("samba")
            .args(["--foreground", "--no-process-group", "--model=single", "-s"])
            .arg(folder.path().join("etc/smb.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        wait_for(&format!("{address}:636"), &mut process, &log);
        let samba = Self { folder, address, _process: Running(process) };
        samba.add(&format!(
            "dn: OU=Lab,{DOMAIN}\nobjectClass: organizationalUnit\n\ndn: {BASE}\nobjectClass: organizationalUnit\n\n\
             dn: OU=Service,OU=Lab,{DOMAIN}\nobjectClass: organizationalUnit\n\n"
        ));
        samba.tool(&["user", "create", "svc-sync", PASSWORD, "--userou=OU=Service,OU=Lab"]);
        samba
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.path().join("tls/ca.pem")
    }

    pub(crate) fn url(&self) -> String {
        format!("ldaps://{}:636", self.address)
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// `samba-tool`, on this controller's own database.
    pub(crate) fn tool(&self, arguments: &[&str]) -> String {
        let (config, database) = (self.file("etc/smb.conf"), self.file("private/sam.ldb"));
        let mut all = arguments.to_vec();
        all.extend(["-s", &config, "-H", &database]);
        run("samba-tool", &all, "")
    }

    fn reader_sid(&self) -> String {
        let found = self.search("(sAMAccountName=svc-sync)", "objectSid");
        found.lines().find_map(|line| line.strip_prefix("objectSid: ")).unwrap().to_owned()
    }

    /// Lets the service account replicate changes.
    pub(crate) fn grant_replication(&self) {
        let sddl = format!("(OA;;CR;1131f6aa-9c07-11d1-f79f-00c04fc2dcd2;;{})", self.reader_sid());
        self.tool(&["dsacl", "set", &format!("--objectdn={DOMAIN}"), &format!("--sddl={sddl}")]);
    }

    /// Takes the service account's rights to a unit and what is below it away.
    pub(crate) fn hide(&self, unit: &str) {
        let sddl = format!("(D;CI;LCRPLORC;;;{})", self.reader_sid());
        self.tool(&["dsacl", "set", &format!("--objectdn={unit}"), &format!("--sddl={sddl}")]);
    }

    /// Lets the service account see deleted entries.
    pub(crate) fn grant_deletions(&self) {
        let script = r"
import sys
from samba import param, auth
from samba.samdb import SamDB
from samba.ndr import ndr_pack, ndr_unpack
from samba.dcerpc import security
import ldb
lp = param.LoadParm(); lp.load(sys.argv[1])
sam = SamDB(url=sys.argv[2], session_info=auth.system_session(), lp=lp)
dn = 'CN=Deleted Objects,' + sys.argv[3]
controls = ['show_deleted:1', 'sd_flags:1:4']
found = sam.search(base=dn, scope=ldb.SCOPE_BASE, attrs=['nTSecurityDescriptor'], controls=controls)
sd = ndr_unpack(security.descriptor, found[0]['nTSecurityDescriptor'][0])
domain = security.dom_sid(sam.get_domain_sid())
text = sd.as_sddl(domain)
new = security.descriptor.from_sddl(text.replace('(', '(A;;RPLC;;;' + sys.argv[4] + ')(', 1), domain)
message = ldb.Message(ldb.Dn(sam, dn))
message['nTSecurityDescriptor'] = ldb.MessageElement(ndr_pack(new), ldb.FLAG_MOD_REPLACE, 'nTSecurityDescriptor')
sam.modify(message, controls)
";
        let (config, database) = (self.file("etc/smb.conf"), self.file("private/sam.ldb"));
        run("/usr/bin/python3", &["-c", script, &config, &database, DOMAIN, &self.reader_sid()], "");
    }

    /// Lets the service account write the anchor of people.
    pub(crate) fn grant_anchor(&self) {
        let sid = self.reader_sid();
        let sddl =
            format!("(OA;CIIO;RPWP;23773dc2-b63a-11d2-90e1-00c04fd91ab1;bf967aba-0de6-11d0-a285-00aa003049e2;{sid})");
        self.tool(&["dsacl", "set", &format!("--objectdn={DOMAIN}"), &format!("--sddl={sddl}")]);
    }

    /// Adds entries, as LDIF.
    pub(crate) fn add(&self, ldif: &str) {
        self.ldb("ldbadd", ldif);
    }

    /// Changes entries, as LDIF.
    pub(crate) fn modify(&self, ldif: &str) {
        self.ldb("ldbmodify", ldif);
    }

    fn ldb(&self, program: &str, ldif: &str) {
        let path = self.file("change.ldif");
        std::fs::write(&path, ldif).unwrap();
        let (config, database) = (self.file("etc/smb.conf"), self.file("private/sam.ldb"));
        run(program, &["-H", &database, &format!("--configfile={config}"), &path], "");
    }

    /// Brings a deleted entry back under a name.
    pub(crate) fn restore(&self, guid: &str, dn: &str) {
        let path = self.file("restore.ldif");
        let ldif = format!(
            "dn: <GUID={guid}>\nchangetype: modify\ndelete: isDeleted\n-\nreplace: distinguishedName\ndistinguishedName: {dn}\n-\n\n"
        );
        std::fs::write(&path, ldif).unwrap();
        let (config, database) = (self.file("etc/smb.conf"), self.file("private/sam.ldb"));
        run("ldbmodify", &["-H", &database, &format!("--configfile={config}"), "--show-deleted", &path], "");
    }

    /// Looks for entries.
    pub(crate) fn search(&self, filter: &str, attribute: &str) -> String {
        let (config, database) = (self.file("etc/smb.conf"), self.file("private/sam.ldb"));
        run("ldbsearch", &["-H", &database, &format!("--configfile={config}"), filter, attribute], "")
    }
}

/// A person to be added.
pub(crate) fn person(number: u32, title: &str) -> String {
    let mut ldif = String::new();
    write!(
        ldif,
        "dn: CN=Person {number},{BASE}\nobjectClass: user\nsAMAccountName: p{number}\n\
         userPrincipalName: p{number}@contoso.com\nmail: p{number}@contoso.com\ngivenName: Person\nsn: {number}\n\
         displayName: Person {number}\ntitle: {title}\nuserAccountControl: 544\n\n"
    )
    .unwrap();
    ldif
}
