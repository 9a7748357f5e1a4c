//! What a configuration says about the columns of a listing. Filled by the code that reads `hardmatch.toml`.

use std::collections::BTreeMap;

use crate::switch::Words;

/// What the columns of a listing mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnMapping {
    /// Columns that are not called by a known name: known attribute → column.
    pub columns: BTreeMap<String, String>,
    /// The words for yes and no of switches such as `active`: known attribute → words.
    pub words: BTreeMap<String, Words>,
    /// The column (or known attribute) that never changes for a person; `None`: `objectGUID`, `entryUUID`, the first
    /// of `anchor_from`, `employeeID`, `employeeNumber` or `id`, whichever the file has first in this order.
    pub key: Option<String>,
    /// The attributes that anchor accounts, in the order of the policy's `anchor.from`.
    pub anchor_from: Vec<Box<str>>,
    /// Columns that the policy's expressions name: kept as they are in `Person::extra`.
    pub extra: Vec<String>,
    /// An expression reads the groups. Where none does, groups that cannot be told apart refuse nobody.
    pub reads_groups: bool,
    /// GUIDs of groups that expressions name: a source that knows the GUIDs of groups gives these as groups of their members,
    /// in this spelling, beside the groups' names. A group that gets another name stays the same group by it.
    pub group_ids: Vec<Box<str>>,
    /// The listing has a header, so that a configured column that it lacks is a mistake. Without one, an attribute that
    /// nobody has is as good as empty.
    pub header: bool,
}

impl Default for ColumnMapping {
    /// Columns by their known names; the anchors of Active Directory.
    fn default() -> Self {
        Self {
            columns: BTreeMap::new(),
            words: BTreeMap::new(),
            key: None,
            anchor_from: vec!["mS-DS-ConsistencyGuid".into(), "objectGUID".into()],
            extra: Vec::new(),
            reads_groups: true,
            group_ids: Vec::new(),
            header: false,
        }
    }
}
