package helper

import (
	"fmt"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/menshen-zt/menshen/internal/wire"
)

// reading is one pass over the packet filter.
type reading struct {
	conn       *netlink.Conn
	interfaces map[uint32]string
	elements   map[setName][]element
	rules      int
}

type chainName struct {
	family      byte
	table, name string
}

type setName = chainName

// families that see inbound IP packets at hook input.
func familyName(family byte) string {
	switch family {
	case unix.NFPROTO_INET:
		return "inet"
	case unix.NFPROTO_IPV4:
		return "ip"
	case unix.NFPROTO_IPV6:
		return "ip6"
	}
	return ""
}

// inbound reads the base chains at hook input and every chain that they reach.
func (r *reading) inbound() ([]wire.FirewallChain, error) {
	asleep, err := r.dormant()
	if err != nil {
		return nil, err
	}
	chains, err := query(r.conn, unix.NFT_MSG_GETCHAIN, netlink.Dump, unix.NFPROTO_UNSPEC)
	if err != nil {
		return nil, err
	}
	known := map[chainName]wire.FirewallChain{}
	var open []chainName // still to be read; base chains first
	for _, c := range chains {
		name := chainName{c.family, c.text(unix.NFTA_CHAIN_TABLE), c.text(unix.NFTA_CHAIN_NAME)}
		family := familyName(c.family)
		if family == "" || asleep[chainName{family: c.family, table: name.table}] {
			continue
		}
		chain := wire.FirewallChain{Family: family, Table: name.table, Name: name.name}
		if err := asBase(c, &chain); err != nil {
			return nil, err
		}
		known[name] = chain
		if chain.Base {
			open = append(open, name)
		}
	}
	return r.reach(known, open)
}

// reach follows jumps from the chains in open.
func (r *reading) reach(known map[chainName]wire.FirewallChain, open []chainName) ([]wire.FirewallChain, error) {
	var out []wire.FirewallChain
	for i := 0; i < len(open); i++ {
		chain := known[open[i]]
		var err error
		if chain.Rules, err = r.chain(open[i]); err != nil {
			return nil, err
		}
		for _, rule := range chain.Rules {
			target := chainName{open[i].family, open[i].table, rule.Target}
			if _, there := known[target]; rule.Target != "" && there && !slices.Contains(open, target) {
				open = append(open, target)
			}
		}
		out = append(out, chain)
	}
	return out, nil
}

// dormant lists the tables that are switched off: their chains filter nothing.
func (r *reading) dormant() (map[chainName]bool, error) {
	tables, err := query(r.conn, unix.NFT_MSG_GETTABLE, netlink.Dump, unix.NFPROTO_UNSPEC)
	if err != nil {
		return nil, err
	}
	asleep := map[chainName]bool{}
	for _, t := range tables {
		if t.optional(unix.NFTA_TABLE_FLAGS)&unix.NFT_TABLE_F_DORMANT != 0 {
			asleep[chainName{family: t.family, table: t.text(unix.NFTA_TABLE_NAME)}] = true
		}
	}
	return asleep, nil
}

// asBase fills in what makes a chain a base chain of type filter at hook input.
func asBase(c object, chain *wire.FirewallChain) error {
	if !c.has(unix.NFTA_CHAIN_HOOK) || c.text(unix.NFTA_CHAIN_TYPE) != "filter" {
		return nil
	}
	hook, err := c.nested(unix.NFTA_CHAIN_HOOK)
	if err != nil {
		return err
	}
	if number, err := hook.number(unix.NFTA_HOOK_HOOKNUM); err != nil || number != unix.NF_INET_LOCAL_IN {
		return err
	}
	policy, err := c.number(unix.NFTA_CHAIN_POLICY)
	if err != nil {
		return fmt.Errorf("a base chain without a policy: %w", err)
	}
	chain.Base, chain.Policy = true, "accept"
	if policy == dropCode {
		chain.Policy = "drop"
	}
	return nil
}

// chain reads and translates the rules of one chain.
func (r *reading) chain(name chainName) ([]wire.FirewallRule, error) {
	objects, err := query(r.conn, unix.NFT_MSG_GETRULE, netlink.Dump, name.family,
		netlink.Attribute{Type: unix.NFTA_RULE_TABLE, Data: []byte(name.table + "\x00")},
		netlink.Attribute{Type: unix.NFTA_RULE_CHAIN, Data: []byte(name.name + "\x00")})
	if err != nil {
		return nil, err
	}
	var rules []wire.FirewallRule
	for _, o := range objects {
		if o.text(unix.NFTA_RULE_TABLE) != name.table || o.text(unix.NFTA_RULE_CHAIN) != name.name {
			continue
		}
		expressions, err := o.list(unix.NFTA_RULE_EXPRESSIONS)
		if err != nil {
			return nil, err
		}
		translated, err := r.translate(name, expressions)
		if err != nil {
			return nil, err
		}
		rules = append(rules, translated...)
		if r.rules += len(translated); r.rules > maxRules {
			return nil, errTooMany
		}
	}
	return rules, nil
}

// element is one element of a set or map.
type element struct {
	key      []byte
	catchAll bool
	verdict  verdict
}

// NFT_SET_ELEM_* flags, NFTA_SET_ELEM_KEY_END and NF_DROP, which x/sys does not
// name (linux/netfilter/nf_tables.h, linux/netfilter.h).
const (
	elementIntervalEnd = 1
	elementCatchAll    = 2
	elementKeyEnd      = 10
	dropCode           = 0
	acceptCode         = 1
)

// set reads the elements of a set; more than maxElements are not read.
func (r *reading) set(table chainName, name string) ([]element, error) {
	id := setName{table.family, table.table, name}
	if known, ok := r.elements[id]; ok {
		return known, nil
	}
	objects, err := query(r.conn, unix.NFT_MSG_GETSETELEM, netlink.Dump, table.family,
		netlink.Attribute{Type: unix.NFTA_SET_ELEM_LIST_TABLE, Data: []byte(table.table + "\x00")},
		netlink.Attribute{Type: unix.NFTA_SET_ELEM_LIST_SET, Data: []byte(name + "\x00")})
	if err != nil {
		return nil, err
	}
	var all []element
	for _, o := range objects {
		list, err := o.list(unix.NFTA_SET_ELEM_LIST_ELEMENTS)
		if err != nil {
			return nil, err
		}
		for _, one := range list {
			e, err := parseElement(one)
			if err != nil {
				return nil, err
			}
			if all = append(all, e); len(all) > maxElements {
				return nil, errTooMany
			}
		}
	}
	r.elements[id] = all
	return all, nil
}

func parseElement(one attributes) (element, error) {
	key, err := one.nested(unix.NFTA_SET_ELEM_KEY)
	if err != nil {
		return element{}, err
	}
	data, err := one.nested(unix.NFTA_SET_ELEM_DATA)
	if err != nil {
		return element{}, err
	}
	e := element{key: key[unix.NFTA_DATA_VALUE]}
	flags := one.optional(unix.NFTA_SET_ELEM_FLAGS)
	e.catchAll = flags&elementCatchAll != 0
	if flags&elementIntervalEnd != 0 || one.has(elementKeyEnd) {
		e.key = nil // an interval: no single value
	}
	if data.has(unix.NFTA_DATA_VERDICT) {
		e.verdict, err = parseVerdict(data)
	}
	return e, err
}
