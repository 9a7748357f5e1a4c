//! What exports call the columns that a first configuration has to name: in five languages and in the words of common
//! HR systems and admin centres. Suggestions only: a run knows the names of `known` and of `[source.columns]`.
//!
//! Sources of the names, next to common usage: Active Directory's cmdlets
//! (<https://learn.microsoft.com/powershell/module/activedirectory/get-aduser>), the export of the Microsoft 365 admin
//! center (<https://learn.microsoft.com/microsoft-365/enterprise/add-several-users-at-the-same-time>), Workday's and SAP
//! SuccessFactors' attributes in Microsoft's provisioning references
//! (<https://learn.microsoft.com/entra/identity/app-provisioning/workday-attribute-reference>,
//! <https://learn.microsoft.com/entra/identity/app-provisioning/sap-successfactors-attribute-reference>), BambooHR's field
//! names (<https://documentation.bamboohr.com/docs/list-of-field-names>) and Personio's employee attributes
//! (<https://developer.personio.de/reference/get_company-employees>).

use hardmatch_sources_entry::reduced::reduced;

/// What a column's name suggests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Suggests {
    /// A known attribute, by the name that `[source.columns]` uses.
    Attribute(&'static str),
    /// Yes means that sign-in is blocked.
    Blocked,
    /// The first day.
    Starts,
    /// The last day.
    Ends,
}

/// Everything the name can mean and how firmly: of several columns that suggest the same, the lowest number wins. Words
/// that mean two things (`Estado` is a province and a status) give both; the values decide.
pub(crate) fn suggested(name: &str) -> Vec<(Suggests, u8)> {
    // "Email Address [Required]", "Vorgesetzter (Personalnummer)", "Work Contact: Work Email".
    let without = |open: char, close: char| match (name.find(open), name.rfind(close)) {
        (Some(from), Some(to)) if from < to => format!("{}{}", &name[..from], &name[to + close.len_utf8()..]),
        _ => String::new(),
    };
    let last = name.rsplit_once(':').map(|(_, last)| last.to_owned()).unwrap_or_default();
    // `name.givenName`, as JSON has it within an object; `supervisor.mail` is another person's.
    let within = |(head, last): (&str, &str)| {
        let plain = !head.is_empty() && !last.starts_with(char::is_whitespace) && !is_of_somebody_else(head);
        plain.then(|| last.to_owned())
    };
    let path = name.rsplit_once('.').and_then(within).unwrap_or_default();
    let bare = reduced(name);
    let umlauts = bare.replace("ae", "a").replace("oe", "o").replace("ue", "u");
    [bare, umlauts, reduced(&without('[', ']')), reduced(&without('(', ')')), reduced(&last), reduced(&path)]
        .into_iter()
        .filter(|wanted| !wanted.is_empty())
        .map(|wanted| of_reduced(&wanted))
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

/// Whether a column's name speaks of something that is not the person's own at work.
pub(crate) fn is_of_somebody_else(name: &str) -> bool {
    let name = reduced(name);
    [
        "privat",
        "priv",
        "home",
        "personal",
        "personnel",
        "particular",
        "casa",
        "manager",
        "supervisor",
        "vorgesetzt",
        "responsable",
        "jefe",
        "notfall",
        "emergency",
    ]
    .iter()
    .any(|part| name.contains(part))
}

fn of_reduced(wanted: &str) -> Vec<(Suggests, u8)> {
    let at = |names: &[&str]| names.iter().position(|name| *name == wanted);
    ALIASES
        .iter()
        .filter_map(|(suggests, names)| Some((*suggests, u8::try_from(at(names)?).unwrap_or(u8::MAX))))
        .collect()
}

use Suggests::{Attribute, Blocked, Ends, Starts};

/// Names as [`reduced`] gives them, the firmest first.
#[rustfmt::skip]
const ALIASES: &[(Suggests, &[&str])] = &[
    (Attribute("objectGUID"), &["objectguid", "objectid", "guid", "userguid", "adobjectguid", "azureadobjectid", "entraobjectid"]),
    (Attribute("userPrincipalName"), &[
        "userprincipalname", "upn", "benutzerprinzipalname", "nomdutilisateurprincipal", "nomprincipaldelutilisateur",
        "nombreprincipaldeusuario", "nomeprincipaleutente", "signinname", "microsoft365username", "office365username", "azureadupn",
        "anmeldename", "anmeldung", "loginname", "login", "identifiantdeconnexion", "username", "benutzername", "benutzer",
        "nomdutilisateur", "nombredeusuario", "usuario", "nomeutente", "kontoname", "accountname", "userlogin", "userid",
    ]),
    (Attribute("mail"), &[
        "mail", "email", "emailaddress", "primarysmtpaddress", "primaryemail", "workemail", "emailwork", "primaryworkemail",
        "businessemail", "businessemailaddress", "companyemail", "officeemail", "corporateemail", "emailaddresswork", "emailbusiness",
        "emailprimarywork", "primaryworkemailaddress", "dienstlicheemail", "geschaftlicheemail", "emailgeschaftlich",
        "emaildienstlich", "firmenemail", "emailadresse", "mailadresse", "epost", "courriel", "adresseemail", "adressemail",
        "adresseelectronique", "courrielprofessionnel", "emailprofessionnel", "mailprofessionnel", "correo", "correoelectronico", "correocorporativo",
        "emailcorporativo", "correodeempresa", "emailaziendale", "postaelettronica", "indirizzoemail", "emailid",
    ]),
    (Attribute("proxyAddresses"), &["proxyaddresses", "proxyadressen", "emailaliases", "aliases"]),
    (Attribute("sAMAccountName"), &["samaccountname", "samaccount", "prewindows2000logonname", "networkid", "windowsaccount", "adaccount", "adkonto"]),
    (Attribute("distinguishedName"), &["distinguishedname", "dn"]),
    (Attribute("mailNickname"), &["mailnickname", "alias", "emailalias"]),
    (Attribute("displayName"), &[
        "displayname", "anzeigename", "fullname", "employeename", "workername", "worker", "employee", "preferredfullname", "vollername", "vollstandigername", "mitarbeitername",
        "mitarbeiter", "mitarbeiterin", "nomcomplet", "nomaffiche", "nometprenom", "nomprenom", "nombrecompleto", "nombreparamostrar", "nombreyapellidos",
        "nomecompleto", "nomevisualizzato", "formattedname", "legalname", "name", "cn",
    ]),
    (Attribute("givenName"), &[
        "givenname", "firstname", "first", "preferredfirstname", "preferrednamefirstname", "legalfirstname", "legalnamefirstname", "preferredname", "forename", "vorname", "rufname", "prenom", "prenomusuel",
        "nombre", "nombres", "nombredepila", "primernombre", "nome", "firstnamepreferred", "namefirst",
    ]),
    (Attribute("sn"), &[
        "sn", "surname", "lastname", "last", "familyname", "legallastname", "legalnamelastname", "preferredlastname", "preferrednamelastname", "nachname", "familienname", "zuname", "nom", "nomdefamille",
        "nomusuel", "apellidos", "apellido", "primerapellido", "cognome", "namelast",
    ]),
    (Attribute("title"), &[
        "title", "jobtitle", "businesstitle", "jobinformationjobtitle", "positiontitle", "position", "jobrole", "stelle", "stellenbezeichnung", "berufsbezeichnung", "funktion",
        "jobbezeichnung", "tatigkeit", "dienstposten", "planstelle", "intituledeposte", "intituleduposte", "poste", "fonction", "emploi", "cargo", "puesto",
        "puestodetrabajo", "denominaciondelpuesto", "posizione", "mansione", "qualifica", "ruolo", "jobprofile", "employeetitle", "role",
    ]),
    (Attribute("department"), &[
        "department", "departmentname", "homedepartment", "dept", "supervisoryorganization", "costcentername", "abteilung", "fachabteilung", "bereich",
        "organisationseinheit", "orgeinheit", "team", "departement", "service", "direction", "departamento", "area", "seccion", "reparto", "dipartimento", "ufficioreparto",
        "orgunit", "orgunitname", "organizationalunit", "division",
    ]),
    (Attribute("company"), &[
        "company", "companyname", "legalentity", "legalemployer", "legalentityname", "subcompany", "firma", "gesellschaft", "unternehmen", "arbeitgeber", "societe",
        "entreprise", "entitelegale", "empresa", "compania", "sociedad", "azienda", "societa", "organisation", "organization", "organizationname",
    ]),
    (Attribute("employeeID"), &[
        "employeeid", "employeenumber", "employeenum", "employeeno", "employeenr", "workerid", "personidexternal", "personid", "personneid", "personnelnumber",
        "personnelno", "payrollid", "payrollnumber", "staffid", "staffnumber", "badgenumber", "personalnummer", "personalnr", "persnr", "mitarbeiternummer", "mitarbeiternr",
        "mitarbeiterid", "personalid", "matrikelnummer", "matricule", "numeroemploye", "numerodemploye", "numerodesalarie", "idsalarie", "iddusalarie", "numerodeempleado", "numeroempleado", "numempleado",
        "nempleado", "idempleado", "iddeempleado", "codigodeempleado", "legajo", "matricola", "numerodipendente", "iddipendente", "codicedipendente", "eecode", "fileno", "filenumber", "associateid",
    ]),
    (Attribute("employeeType"), &[
        "employeetype", "workertype", "employmenttype", "contingentworkertype", "employeeclass", "contracttype", "mitarbeitertyp", "beschaftigungsart", "anstellungsart",
        "vertragsart", "typedecontrat", "contrat", "tipodecontrato", "tipodeempleado", "tipocontratto", "tipodicontratto", "employmentclass",
    ]),
    (Attribute("physicalDeliveryOfficeName"), &[
        "physicaldeliveryofficename", "officelocation", "office", "workplace", "worklocation", "location", "locationname", "site", "buro", "standort", "arbeitsort", "niederlassung",
        "dienstort", "bureau", "lieudetravail", "etablissement", "oficina", "centrodetrabajo", "sededetrabajo", "sede", "sedelavorativa", "ufficio",
    ]),
    (Attribute("streetAddress"), &[
        "streetaddress", "street", "address", "addressline1", "address1", "businessaddressline1", "strasse", "strassehausnummer", "strasseundhausnummer", "adresse", "rue",
        "adressepostale", "calle", "direccion", "domicilio", "via", "indirizzo",
    ]),
    (Attribute("l"), &["l", "city", "town", "stadt", "ort", "wohnort", "ville", "commune", "ciudad", "localidad", "poblacion", "citta", "comune"]),
    (Attribute("st"), &[
        "st", "state", "stateorprovince", "stateprovince", "province", "region", "county", "bundesland", "kanton", "provincia", "estado", "comunidadautonoma", "regione",
    ]),
    (Attribute("postalCode"), &[
        "postalcode", "zip", "zipcode", "zippostalcode", "postcode", "plz", "postleitzahl", "codepostal", "codigopostal", "cp", "cap",
    ]),
    (Attribute("co"), &[
        "co", "country", "countryregion", "countryorregion", "countryname", "land", "landregion", "pays", "paysregion", "pais", "paisregion", "paese", "nazione", "workcountry", "locationcountry",
    ]),
    (Attribute("c"), &["c", "countrycode", "countryiso", "isocountry", "countryreferencedescriptor", "landercode", "landercodeiso", "landeskennzeichen", "landercodeiso2", "codepays", "codigodepais", "codicepaese", "countryiso2", "country2letter"]),
    (Attribute("usageLocation"), &["usagelocation", "nutzungsstandort", "verwendungsstandort", "emplacementdutilisation", "ubicaciondeuso", "paesediutilizzo"]),
    (Attribute("telephoneNumber"), &[
        "telephonenumber", "phonenumber", "businessphones", "businessphone", "workphone", "officephone", "phonework", "workphonenumber", "primaryworkphone", "phone", "telephone", "telefon", "telefonnummer", "telefongeschaftlich",
        "telefondienstlich", "telefonnummerdienstlich", "telefonnummergeschaftlich", "dienstlichetelefonnummer", "diensttelefon", "diensttelefonnummer", "firmentelefon",
        "telefonarbeit", "telefonbusiness", "telefonfestnetz", "festnetz", "festnetznummer", "telefonnr", "telnr", "teldienstlich", "telgeschaftlich", "rufnummer", "rufnummerdienstlich",
        "dienstlicherufnummer", "durchwahl", "geschaftlichetelefonnummer", "telefonburo", "telephoneprofessionnel", "numerodetelephone", "tel", "telefono", "telefonodetrabajo", "telefonooficina", "numerodetelefono", "telefonoufficio",
    ]),
    (Attribute("mobile"), &[
        "mobile", "mobilephone", "mobilenumber", "mobilephonenumber", "cellphone", "cell", "workmobile", "mobiltelefon", "mobil", "mobilnummer", "handy", "handynummer", "diensthandy", "diensthandynummer",
        "handydienstlich", "handygeschaftlich", "firmenhandy", "mobildienstlich", "mobilgeschaftlich", "mobilfunk", "mobilfunknummer", "mobiltelefonnummer", "telephonemobile",
        "portable", "telephoneportable", "mobileprofessionnel", "movil", "telefonomovil", "celular", "cellulare", "telefonocellulare",
    ]),
    (Attribute("facsimileTelephoneNumber"), &["facsimiletelephonenumber", "fax", "faxnumber", "faxnummer", "telefax", "telecopie", "numerodefax"]),
    (Attribute("preferredLanguage"), &["preferredlanguage", "language", "bevorzugtesprache", "sprache", "langue", "languepreferee", "idioma", "lingua"]),
    (Attribute("manager"), &[
        "manager", "managerid", "manageremployeeid", "manageruserprincipalname", "managerupn", "manageremail", "manageremailaddress", "workersmanager", "reportsto", "reportstoassociateid", "reportstoid", "reportingto", "supervisor", "supervisorid", "supervisoreid", "supervisoremail", "linemanager", "linemanagerid",
        "vorgesetzter", "vorgesetzte", "vorgesetzterid", "vorgesetzternummer", "personalnummervorgesetzter", "vorgesetztenr", "fuhrungskraft", "teamleiter", "responsable", "superieur", "superieurhierarchique", "responsablehierarchique",
        "matriculeresponsable", "matriculedumanager", "jefe", "jefedirecto", "supervisordirecto", "responsabledirecto", "idresponsable", "responsabile", "superiore", "matricolaresponsabile",
    ]),
    (Attribute("memberOf"), &["memberof", "groups", "groupmembership", "gruppen", "gruppenmitgliedschaft", "groupes", "grupos", "gruppi"]),
    (Attribute("userAccountControl"), &["useraccountcontrol"]),
    (Attribute("accountExpires"), &["accountexpires"]),
    (Attribute("active"), &[
        "active", "enabled", "accountenabled", "isactive", "workeractive", "activestatus", "employmentstatus", "employeestatus", "workerstatus", "userstatus", "emplstatus", "employmentstatuscode", "accountstatus", "positionstatus", "status",
        "aktiv", "aktiviert", "kontoaktiviert", "beschaftigungsstatus", "mitarbeiterstatus", "statut", "actif", "statutemploye", "statutdusalarie", "estado", "estadodelempleado", "activo", "situacion", "stato", "attivo", "statodipendente", "state",
    ]),
    (Blocked, &["blockcredential", "signinblocked", "blocksignin", "accountdisabled", "disabled", "gesperrt", "deaktiviert", "anmeldunggesperrt", "bloque", "desactive", "bloqueado", "deshabilitado", "bloccato", "disabilitato", "suspended", "issuspended", "isdisabled"]),
    (Starts, &[
        "employeehiredate", "hiredate", "startdate", "originalhiredate", "mostrecenthiredate", "dateofhire", "joindate", "joiningdate", "dateofjoining", "employmentstartdate", "eintrittsdatum", "eintritt", "einstellungsdatum", "beginn",
        "startdatum", "dateembauche", "datedembauche", "dateentree", "datedentree", "datedebut", "datedarrivee", "fechadealta", "fechaalta", "fechadeingreso", "fechadecontratacion", "fechadeinicio", "datadiassunzione",
        "dataassunzione", "datainizio",
    ]),
    (Ends, &[
        "employeeleavedatetime", "terminationdate", "lastday", "lastdayofwork", "lastworkingday", "leavedate", "leavingdate", "exitdate", "enddate", "employmentenddate", "separationdate", "contractenddate", "dateofleaving", "austrittsdatum", "austritt", "letzterarbeitstag",
        "vertragsende", "enddatum", "kundigungsdatum", "datesortie", "datedesortie", "datedepart", "datededepart", "datefin", "datefincontrat", "fechadebaja", "fechabaja", "fechadesalida", "fechafin", "fechadefin",
        "datacessazione", "datadicessazione", "datafine", "datauscita",
    ]),
];

#[cfg(test)]
mod tests {
    use hardmatch_sources_entry::known;

    use super::*;

    fn means(name: &str) -> Vec<Suggests> {
        suggested(name).into_iter().map(|(suggests, _)| suggests).collect()
    }

    #[test]
    fn names_in_five_languages_are_recognised_with_accents_and_punctuation() {
        for (name, attribute) in [
            ("E-Mail", "mail"),
            ("E-Mail (geschäftlich)", "mail"),
            ("Correo electrónico", "mail"),
            ("Straße", "streetAddress"),
            ("Büro", "physicalDeliveryOfficeName"),
            ("Buero", "physicalDeliveryOfficeName"),
            ("Prénom", "givenName"),
            ("Nom", "sn"),
            ("Nombre", "givenName"),
            ("Cognome", "sn"),
            ("Personal-Nr.", "employeeID"),
            ("Employee #", "employeeID"),
            ("User principal name", "userPrincipalName"),
            ("Telefonnummer (dienstlich)", "telephoneNumber"),
            ("Tel. geschäftlich", "telephoneNumber"),
            ("Rufnummer", "telephoneNumber"),
            ("Handy (dienstl.)", "mobile"),
            ("Handy dienstlich", "mobile"),
            ("name.givenName", "givenName"),
            ("urn:ietf:params:scim:schemas:core:2.0:User:name.familyName", "sn"),
            ("work.address.city", "l"),
        ] {
            assert_eq!(means(name), [Attribute(attribute)], "{name}");
        }
        for of_somebody_else in ["supervisor.mail", "emergencyContact.phone", "Nr. des Kindes"] {
            assert_eq!(means(of_somebody_else), [], "{of_somebody_else}");
        }
        assert_eq!(means("Date d'embauche"), [Starts]);
        assert_eq!(means("Block credential"), [Blocked]);
        assert_eq!(means("Estado"), [Attribute("st"), Attribute("active")]);
        assert_eq!(means("Kostenstelle"), []);
    }

    #[test]
    fn every_alias_is_reduced_and_leads_to_a_known_attribute() {
        for (suggests, names) in ALIASES {
            if let Attribute(attribute) = suggests {
                assert!(known::meaning(attribute).is_some(), "{attribute}");
            }
            for name in *names {
                assert_eq!(reduced(name), *name);
            }
        }
    }
}
