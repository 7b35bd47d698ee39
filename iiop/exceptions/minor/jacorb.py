"""Minor codes of JacORB, block 0x4A430000 ("JC").

JacORB uses the OMG's codes nearly everywhere, and 0; these are all it has of its own.

Source: JacORB/JacORB core/src/main/java/org/jacorb/orb/MinorCodes.java, ORBConstants.java.
"""

from __future__ import annotations

from iiop.exceptions.minor.core import Table, register_table

JACORB: Table = {
    "NO_PERMISSION": {
        1: ("SAS_CSS_FAILURE", "CSIv2: the client's side could not make, or did not get, what the server wants"),
        2: ("SAS_ATLAS_FAILURE", "CSIv2: no authorization token was had from the ATLAS service"),
        3: ("SAS_TSS_FAILURE", "CSIv2: the server refused the client's credentials"),
    }
}

register_table(0x4A430000, JACORB)
