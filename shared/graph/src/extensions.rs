//! Directory extensions: which ones applications have registered in the tenant.

use bytes::Bytes;
use hardmatch_ports::tenant::{RegisteredExtension, TenantError};
use serde::Deserialize;

use crate::client::GraphClient;
use crate::read::items;
use crate::text::Text;

impl GraphClient {
    /// Everything that is registered, by any application. Graph answers in one page, and with none at all for a
    /// tenant of more than 1,000 service principals.
    /// <https://learn.microsoft.com/graph/api/directoryobject-getavailableextensionproperties>
    pub(crate) async fn read_registered_extensions(&self) -> Result<Vec<RegisteredExtension>, TenantError> {
        let route = "/directoryObjects/getAvailableExtensionProperties";
        let body = Some(Bytes::from_static(b"{}"));
        self.wire
            .ask(route, &self.url(route), body, self.read_priority, |body| {
                let page = items(body, |property: ExtensionProperty<'_>, out| {
                    let users = |target: &Text<'_>| target.eq_ignore_ascii_case("user");
                    out.push(RegisteredExtension {
                        name: property.name.to_string(),
                        data_type: property.data_type.to_string(),
                        multiple: property.multiple.unwrap_or(false),
                        of_users: property.targets.iter().any(users),
                    });
                    Some(())
                })?;
                Ok(page.items)
            })
            .await
    }
}

#[derive(Deserialize)]
struct ExtensionProperty<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(rename = "dataType", borrow)]
    data_type: Text<'a>,
    #[serde(rename = "isMultiValued", default)]
    multiple: Option<bool>,
    #[serde(rename = "targetObjects", borrow, default)]
    targets: Vec<Text<'a>>,
}
