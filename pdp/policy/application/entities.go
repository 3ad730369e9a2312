package application

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"

	"github.com/menshen-zt/menshen/internal/strictjson"
)

// readEntities takes the entities of all files, with the schema's actions.
func (a *Application) readEntities(names []string, files map[string][]byte, c *checked) error {
	a.entities, a.byType = types.EntityMap{}, map[types.EntityType][]string{}
	for _, name := range names {
		var raw []json.RawMessage
		if err := strictjson.Unmarshal(files[name], &raw); err != nil {
			return &LoadError{File: name, Err: err}
		}
		if len(a.entities)+len(raw) > MaxEntities {
			return &LoadError{File: name, Err: fmt.Errorf("more than %d entities", MaxEntities)}
		}
		for i, one := range raw {
			if what, err := a.addEntity(one, c); err != nil {
				if what == "" {
					what = fmt.Sprintf("entity %d", i+1)
				}
				return &LoadError{File: name, What: what, Err: err}
			}
		}
	}
	if err := a.checkHierarchy(); err != nil {
		return err
	}
	for uid := range a.entities {
		a.byType[uid.Type] = append(a.byType[uid.Type], string(uid.ID))
	}
	for kind, values := range a.enums {
		a.byType[kind] = nil // an enumeration's values are all there are
		for id := range values {
			a.byType[kind] = append(a.byType[kind], string(id))
		}
	}
	for _, ids := range a.byType {
		slices.Sort(ids)
	}
	a.brought = len(a.entities)
	for uid, declared := range c.resolved.Actions {
		a.entities[uid] = declared.Entity
	}
	return nil
}

// addEntity returns the entity's name where it has one.
func (a *Application) addEntity(raw []byte, c *checked) (what string, err error) {
	var e types.Entity
	if err := e.UnmarshalJSON(raw); err != nil {
		return "", err
	}
	what = e.UID.String()
	if _, twice := a.entities[e.UID]; twice {
		return what, errors.New("it is there already")
	}
	if _, known := c.resolved.Entities[e.UID.Type]; e.UID.Type == sessionType || (!known && c.enums[e.UID.Type] == nil) {
		return what, errors.New("the schema declares no such entity type")
	}
	if values := c.enums[e.UID.Type]; values != nil && (!values[e.UID.ID] || e.Attributes.Len()+e.Tags.Len()+e.Parents.Len() > 0) {
		return what, errors.New("it is not one of the enumeration's values, or more than that")
	}
	if len(e.UID.ID) == 0 || len(e.UID.ID) > MaxID {
		return what, fmt.Errorf("its id has no letter, or more than %d bytes", MaxID)
	}
	if err := c.validator.Entity(e); err != nil {
		return what, err
	}
	a.entities[e.UID] = e
	return what, nil
}

// MaxID bounds the id of an entity, in bytes.
const MaxID = 256

// checkHierarchy refuses entities that are their own ancestors, or have too
// long a line of them.
func (a *Application) checkHierarchy() error {
	heights := make(map[types.EntityUID]int, len(a.entities))
	var height func(uid types.EntityUID, below int) (int, error)
	height = func(uid types.EntityUID, below int) (int, error) {
		if below > maxHierarchy {
			return 0, &LoadError{File: "entities", What: uid.String(), Err: fmt.Errorf("it is its own ancestor, or has more than %d generations of them", maxHierarchy)}
		}
		if h, known := heights[uid]; known {
			return h, nil
		}
		most := 0
		for parent := range a.entities[uid].Parents.All() {
			h, err := height(parent, below+1)
			if err != nil {
				return 0, err
			}
			most = max(most, h+1)
		}
		heights[uid] = most
		return most, nil
	}
	for uid := range a.entities {
		h, err := height(uid, 0)
		if err == nil && h > maxHierarchy {
			_, err = height(uid, maxHierarchy+1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Candidates returns the ids of the entities of a type, ascending. The caller
// must not change them.
func (a *Application) Candidates(kind string) []string {
	if strings.HasPrefix(kind, reserved+"::") {
		return nil
	}
	return a.byType[types.EntityType(kind)]
}
