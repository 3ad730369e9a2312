package reason

// Area CFG, 130–134: erasing.
const CfgErasureReason = "ZT-CFG-130"
